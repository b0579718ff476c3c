/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Local ports of FullNAT. Each pair of local address and real server has a book of its own, so no two connections can
 * ever get the same reply key. A book is a bitmap with a summary, so a free port is found in a few steps however full it
 * is; the turn goes round, so a port comes back as late as can be.
 */
#ifndef BPVS_PORTS_H
#define BPVS_PORTS_H

#include "maps.h"
#include <bpf/bpf_endian.h>

#define PORT_ATTEMPTS 8 /* CPUs that take the same bit at the same time try again that often */
#define FULL_WORD (~0ULL)

#define DE_BRUIJN 0x03f79d71b4cb0a89ULL /* each of its 64 windows of six bits is another number */

/* clang-format off */
static const __u8 de_bruijn_bit[64] = {
	0, 1, 48, 2, 57, 49, 28, 3, 61, 58, 50, 42, 38, 29, 17, 4,
	62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
	63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
	46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9, 13, 8, 7, 6,
};
/* clang-format on */

/* The lowest bit that is not set, 64 if all are: BPF has no instruction for it. */
static __always_inline __u32 lowest_clear(__u64 word)
{
	__u64 bit = ~word & (word + 1); /* only that bit */

	return bit ? de_bruijn_bit[bit * DE_BRUIJN >> 58] : 64;
}

/* The bits below `bit`. */
static __always_inline __u64 bits_below(__u32 bit)
{
	return (1ULL << (bit & 63)) - 1;
}

/* Words of a book; the masks are for the verifier. */
static __always_inline __u64 *book_taken(struct book *book, __u32 word)
{
	barrier_var(word);
	return &book->taken[word & (BOOK_WORDS - 1)];
}

static __always_inline __u64 *book_full(struct book *book, __u32 group)
{
	barrier_var(group);
	return &book->full[group & (BOOK_GROUPS - 1)];
}

/* The next word from `start` on, in a circle, that has a free port; BOOK_WORDS if there is none. */
static __always_inline __u32 word_find(struct book *book, __u32 start)
{
	__u32 group = start / 64;

	for (__u32 i = 0; i <= BOOK_GROUPS; i++) {
		__u32 at = (group + i) & (BOOK_GROUPS - 1);
		__u64 full = *book_full(book, at);
		__u32 bit;

		if (i == 0)
			full |= bits_below(start & 63);
		bit = lowest_clear(full);
		if (bit < 64)
			return at * 64 + bit;
	}
	return BOOK_WORDS;
}

static __always_inline void word_note(struct book *book, __u32 word)
{
	__u64 *full = book_full(book, word / 64);

	__sync_fetch_and_or(full, 1ULL << (word & 63));
	if (*book_taken(book, word) !=
	    FULL_WORD) /* one came back meanwhile, and whoever brought it may not have seen the bit */
		__sync_fetch_and_and(full, ~(1ULL << (word & 63)));
}

/* The next free port from `start` on, in a circle; above LAST_PORT if there is none. Not static: verified once. */
__noinline __u32 port_find(struct book *book, __u32 start)
{
	__u32 word = start / 64 & (BOOK_WORDS - 1);
	__u32 bit;

	if (!book)
		return LAST_PORT + 1;
	bit = lowest_clear(*book_taken(book, word) | bits_below(start & 63));

	if (bit < 64)
		return word * 64 + bit;
	word = word_find(book, (word + 1) & (BOOK_WORDS - 1));
	if (word >= BOOK_WORDS)
		return LAST_PORT + 1;
	return word * 64 + lowest_clear(*book_taken(book, word));
}

/* A port that nobody else has until it is returned, network byte order; 0 when all are taken. Not static: verified once. */
__noinline __u32 port_take(struct book *book)
{
	if (!book)
		return 0;
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		__u32 turn = __sync_fetch_and_add(&book->turn, 1);
		__u32 port = port_find(book, FIRST_PORT + turn % (LAST_PORT + 1 - FIRST_PORT));
		__u32 word = port / 64, bit = port & 63;
		__u64 before;

		if (port > LAST_PORT)
			break;
		before = __sync_fetch_and_or(book_taken(book, word), 1ULL << bit);
		if ((before | 1ULL << bit) == FULL_WORD)
			word_note(book, word);
		if (before & 1ULL << bit)
			continue;
		__sync_fetch_and_add(&book->used, 1);
		return bpf_htons(port);
	}
	__sync_fetch_and_add(&book->exhausted, 1);
	return 0;
}

static __noinline void port_return(const struct address *local, const struct address *server, __u8 protocol,
				   __be16 port)
{
	struct book_key key = { .local = *local, .server = *server, .protocol = protocol };
	struct book *book = bpf_map_lookup_elem(&books, &key);
	__u32 number = bpf_ntohs(port), word = number / 64;

	if (!book)
		return;
	__sync_fetch_and_and(book_taken(book, word), ~(1ULL << (number & 63)));
	__sync_fetch_and_and(book_full(book, word / 64), ~(1ULL << (word & 63)));
	__sync_fetch_and_add(&book->used, -1);
}

#endif
