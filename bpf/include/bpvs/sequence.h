/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sequence numbers behind SYNPROXY. The client was greeted with a number (the cookie) before the server chose its own:
 * conn.shift is the first less the second. What the server sends gets it added, what the client acknowledges, also
 * selectively, gets it taken off. Windows change where the two sides were told different scales.
 */
#ifndef BPVS_SEQUENCE_H
#define BPVS_SEQUENCE_H

#include "csum.h"
#include "packet.h"
#include "tcp_option.h"

#define MAX_SACK_EDGES 8 /* of four blocks */

/* Adds to the big-endian number at offset; what that adds to a sum around it. */
static __always_inline __u32 number_add(hook_ctx *ctx, __u32 offset, __u32 what)
{
	__u16 *at = packet_at(ctx, offset, sizeof(__be32));
	__u32 number, delta;
	__u16 high, low;

	if (!at)
		return 0;
	number = ((__u32)bpf_ntohs(at[0]) << 16 | bpf_ntohs(at[1])) + what;
	high = bpf_htons(number >> 16);
	low = bpf_htons(number);
	delta = csum_delta16(at[0], high) + csum_delta16(at[1], low);
	at[0] = high;
	at[1] = low;
	return offset & 1 ? (delta & 0xff00ff) << 8 | (delta >> 8 & 0xff00ff) : delta;
}

/* The edges of selectively acknowledged blocks. */
static __always_inline __u64 sack_add(hook_ctx *ctx, const struct packet *pkt, __u32 what)
{
	__u32 at = option_find(ctx, pkt->l4 + sizeof(struct tcphdr), pkt->payload, OPTION_SACK, 0);
	__u8 *option = packet_at(ctx, at, 2);
	__u64 delta = 0;
	__u32 size;

	if (!at || !option)
		return 0;
	size = option[1];
	for (__u32 i = 0; i < MAX_SACK_EDGES; i++) {
		__u32 edge = 2 + i * sizeof(__be32);

		if (edge + sizeof(__be32) > size || at + edge + sizeof(__be32) > pkt->payload)
			break;
		delta += number_add(ctx, at + edge, what);
	}
	return delta;
}

/* scale: powers of two by which the window's field grows; 0: it stays. */
static __always_inline __u32 window_scale(hook_ctx *ctx, const struct packet *pkt, int scale)
{
	struct tcphdr *tcp = packet_at(ctx, pkt->l4, sizeof(*tcp));
	__u32 window;
	__u16 before;

	if (!tcp || !scale || pkt->tcp_flags & TCP_SYN)
		return 0;
	before = tcp->window;
	window = bpf_ntohs(before);
	if (scale > 0)
		window <<= scale & 15;
	else
		window >>= -scale & 15;
	tcp->window = bpf_htons(window > 0xffff ? 0xffff : window);
	return csum_delta16(before, tcp->window);
}

/* Translates a segment; what that adds to a sum over it. Not static: verified once. */
__noinline __u32 sequence_translate(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	__u64 delta = 0;

	if (!pkt || !conn)
		return 0;
	if (pkt->direction == DIR_OUT) {
		delta += number_add(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, seq), conn->shift);
		delta += window_scale(ctx, pkt, conn->scale);
		return csum_fold32(delta);
	}
	if (pkt->tcp_flags & TCP_ACK) {
		delta += number_add(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, ack_seq), -conn->shift);
		delta += sack_add(ctx, pkt, -conn->shift);
	}
	delta += window_scale(ctx, pkt, conn->client_scale);
	return csum_fold32(delta);
}

#endif
