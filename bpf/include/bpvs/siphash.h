/* SPDX-License-Identifier: GPL-2.0-only */
/* SipHash-2-4 and 1-3 (Aumasson and Bernstein, 2012) over 64-bit words that are in registers. */
#ifndef BPVS_SIPHASH_H
#define BPVS_SIPHASH_H

#include <linux/types.h>

struct siphash {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate_left(__u64 word, __u32 bits)
{
	return word << bits | word >> (64 - bits);
}

static __always_inline void sip_round(struct siphash *state)
{
	state->v0 += state->v1;
	state->v1 = rotate_left(state->v1, 13) ^ state->v0;
	state->v0 = rotate_left(state->v0, 32);
	state->v2 += state->v3;
	state->v3 = rotate_left(state->v3, 16) ^ state->v2;
	state->v0 += state->v3;
	state->v3 = rotate_left(state->v3, 21) ^ state->v0;
	state->v2 += state->v1;
	state->v1 = rotate_left(state->v1, 17) ^ state->v2;
	state->v2 = rotate_left(state->v2, 32);
}

static __always_inline void sip_begin(struct siphash *state, const __u64 key[2])
{
	state->v0 = 0x736f6d6570736575ULL ^ key[0]; /* the four constants of the definition */
	state->v1 = 0x646f72616e646f6dULL ^ key[1];
	state->v2 = 0x6c7967656e657261ULL ^ key[0];
	state->v3 = 0x7465646279746573ULL ^ key[1];
}

static __always_inline void sip_add(struct siphash *state, __u64 word)
{
	state->v3 ^= word;
	sip_round(state);
	sip_round(state);
	state->v0 ^= word;
}

/* length: bytes that were added. */
static __always_inline __u64 sip_end(struct siphash *state, __u64 length)
{
	sip_add(state, length << 56);
	state->v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(state);
	return state->v0 ^ state->v1 ^ state->v2 ^ state->v3;
}

/* SipHash-1-3 of one 32-bit number under (key, key), as the kernel's hsiphash_1u32() on 64-bit machines. */
static __always_inline __u32 hsiphash(__u64 key, __u32 number)
{
	__u64 word = 4ULL << 56 | number;
	__u64 keys[2] = { key, key };
	struct siphash state;

	sip_begin(&state, keys);
	state.v3 ^= word;
	sip_round(&state);
	state.v0 ^= word;
	state.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

#endif
