/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP options: those that a handshake negotiates, and where they lie (RFC 9293, 7323, 2018). */
#ifndef BPVS_TCP_OPTION_H
#define BPVS_TCP_OPTION_H

#include "csum.h"
#include "packet.h"

#define MAX_OPTIONS 40 /* bytes, and so the most options that there can be */

enum tcp_option {
	OPTION_END,
	OPTION_NOP,
	OPTION_MSS,
	OPTION_SCALE,
	OPTION_SACK_PERMITTED,
	OPTION_SACK,
	OPTION_FAST_OPEN = 34, /* RFC 7413 */
	OPTION_TOA_IPV6 = 253, /* see toa.h */
	OPTION_TOA_IPV4 = 254,
};

/* Options as words of a header: kind and length stand in front, NOPs fill up. */
#define WORD_MSS 0x02040000
#define WORD_SCALE 0x01030300
#define WORD_SACK_PERMITTED 0x01010402
#define WORD_NOPS 0x01010101

#define DEFAULT_MSS_IPV4 536 /* of who tells none */
#define DEFAULT_MSS_IPV6 1220
#define NO_SCALE 15 /* none told; 14 is the largest that there is */

#define OFFER_WORDS 3 /* of options */

/* What a SYN offers. */
struct offer {
	__u16 mss;
	__u8 scale;
	bool sack;
};

/* Bytes of the whole option at an offset << 8 | its kind; 0 where there is none. Not static: verified once. */
__noinline __u32 option_at(hook_ctx *ctx, __u32 at, __u32 end)
{
	__u8 *option = packet_at(ctx, at, 2);

	if (!option || at + 2 > end || option[0] == OPTION_END)
		return 0;
	if (option[0] == OPTION_NOP)
		return 1 << 8 | OPTION_NOP;
	return option[1] < 2 || at + option[1] > end ? 0 : option[1] << 8 | option[0];
}

/* Where an option of that kind and size (0: any) lies; 0 if there is none such. Not static either. */
__noinline __u32 option_find(hook_ctx *ctx, __u32 at, __u32 end, __u8 kind, __u8 size)
{
	for (int i = 0; i < MAX_OPTIONS; i++) {
		__u32 option = option_at(ctx, at, end);

		if (!option)
			return 0;
		if ((option & 0xff) == kind && (!size || option >> 8 == size))
			return at;
		at += option >> 8;
	}
	return 0;
}

/* Overwrites bytes of options with NOPs; what that adds to a sum over the segment. Not static either. */
__noinline __u32 option_blank(hook_ctx *ctx, __u32 at, __u32 size)
{
	__u64 delta = 0;

	for (__u32 i = 0; i < MAX_OPTIONS; i++) {
		__u8 *byte = packet_at(ctx, at + i, 1);
		__u32 shift = (at + i) & 1 ? 8 : 0; /* its place in a word of the sum */

		if (i >= size || !byte)
			break;
		delta += csum_delta16(*byte << shift, OPTION_NOP << shift);
		*byte = OPTION_NOP;
	}
	return csum_fold32(delta);
}

/* Takes one option, of that kind and size, into an offer. Not static either. */
__noinline int offer_take(hook_ctx *ctx, __u32 at, __u32 option, struct offer *offer)
{
	__u8 *value;

	if (!offer)
		return 0;
	if (option == (2 << 8 | OPTION_SACK_PERMITTED)) {
		offer->sack = true;
	} else if (option == (4 << 8 | OPTION_MSS)) {
		value = packet_at(ctx, at + 2, 2);
		if (value)
			offer->mss = value[0] << 8 | value[1];
	} else if (option == (3 << 8 | OPTION_SCALE)) {
		value = packet_at(ctx, at + 2, 1);
		if (value)
			offer->scale = *value > 14 ? 14 : *value;
	}
	return 0;
}

/* What a SYN offers; of an option that is there twice the last counts. Not static either. */
__noinline int offer_read(hook_ctx *ctx, const struct packet *pkt, struct offer *offer)
{
	__u32 at, end;

	if (!pkt || !offer)
		return 0;
	at = pkt->l4 + sizeof(struct tcphdr);
	end = pkt->payload;
	offer->mss = pkt->family == FAMILY_IPV4 ? DEFAULT_MSS_IPV4 : DEFAULT_MSS_IPV6;
	offer->scale = NO_SCALE;
	offer->sack = false;
	for (int i = 0; i < MAX_OPTIONS; i++) {
		__u32 option = option_at(ctx, at, end);

		if (!option)
			break;
		offer_take(ctx, at, option, offer);
		at += option >> 8;
	}
	return 0;
}

/* The options of a SYN; their words. */
static __always_inline __u32 offer_write(const struct offer *offer, __be32 *options)
{
	options[0] = bpf_htonl(WORD_MSS | offer->mss);
	options[1] = bpf_htonl(offer->scale < NO_SCALE ? WORD_SCALE | offer->scale : WORD_NOPS);
	options[2] = bpf_htonl(offer->sack ? WORD_SACK_PERMITTED : WORD_NOPS);
	return OFFER_WORDS;
}

#endif
