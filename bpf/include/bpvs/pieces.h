/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cutting a packet that does not fit its tunnel or, by direct routing, its link, where its sender allows that (RFC 791,
 * section 3.2). The first piece goes on at once. A copy comes back from the siding as the rest: it loses what has gone
 * ahead, and is cut again if need be. So only the inner packet of a tunnel is in fragments, which the server puts together
 * behind its end. TC only.
 *
 * With pmtu_disc 0 "don't fragment" counts for nothing: it is taken off, and since such a packet may have no number
 * (RFC 6864) it gets one.
 */
#ifndef BPVS_PIECES_H
#define BPVS_PIECES_H

#include "csum.h"
#include "fragment.h"
#include "packet.h"

#define PIECE_UNIT 8 /* bytes that a fragment's offset counts */

/* Bytes behind the IP header of each piece but the last. */
static __always_inline __u32 piece_size(const struct packet *pkt)
{
	return (pkt->mtu - sizeof(struct iphdr)) & ~(PIECE_UNIT - 1);
}

/* Can it be cut here? Options would have to be sorted into those that each piece has and others. */
static __always_inline bool piece_can(const struct packet *pkt)
{
	return pkt->family == FAMILY_IPV4 && pkt->l4 - pkt->l3 == sizeof(struct iphdr) &&
	       pkt->mtu > 2 * sizeof(struct iphdr);
}

static __always_inline bool piece_write(hook_ctx *ctx, struct packet *pkt, __u32 length, __u16 add)
{
	struct iphdr *ip = packet_at(ctx, pkt->l3, sizeof(*ip));
	__be16 total = bpf_htons(length), offset;

	if (!ip)
		return false;
	offset = bpf_htons(bpf_ntohs(ip->frag_off) + add);
	ip->check = csum_apply(ip->check, (__u64)csum_delta16(ip->tot_len, total) + csum_delta16(ip->frag_off, offset));
	ip->tot_len = total;
	ip->frag_off = offset;
	pkt->length = length;
	pkt->is_part = true;
	return true;
}

/* The packet and its copies say from here on that they may be cut. Not static: verified once. */
__noinline int piece_allow(hook_ctx *ctx, struct packet *pkt)
{
	struct iphdr *ip = pkt ? packet_at(ctx, pkt->l3, sizeof(*ip)) : NULL;
	__be16 flags, id;

	if (!ip)
		return false;
	flags = ip->frag_off & ~bpf_htons(IPV4_DONT_FRAGMENT);
	id = ip->id ? ip->id : (bpf_get_prandom_u32() & 0xffff) | 1;
	if (flags == ip->frag_off)
		return true;
	ip->check = csum_apply(ip->check, (__u64)csum_delta16(ip->frag_off, flags) + csum_delta16(ip->id, id));
	ip->frag_off = flags;
	ip->id = id;
	pkt->fragment_id = id;
	return true;
}

/* Takes off the piece that has gone ahead. Not static: verified once. */
__noinline int piece_drop(hook_ctx *ctx, struct packet *pkt)
{
	__u32 size;

	if (!pkt)
		return false;
	size = piece_size(pkt);
	if (hook_close_gap(ctx, size) || !piece_write(ctx, pkt, pkt->length - size, size / PIECE_UNIT))
		return false;
	pkt->is_fragment = true;
	return true;
}

/* Leaves one piece, with more to come. Not static: verified once. */
__noinline int piece_keep(hook_ctx *ctx, struct packet *pkt)
{
	struct iphdr *ip;
	__u32 length;
	bool more;

	if (!pkt)
		return false;
	if (!pkt->is_fragment)
		fragment_note(pkt);
	length = sizeof(struct iphdr) + piece_size(pkt);
	if (!hook_resize(ctx, (pkt->l3 & MAX_OFFSET) + length))
		return false;
	ip = packet_at(ctx, pkt->l3, sizeof(*ip));
	if (!ip)
		return false;
	more = ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS);
	return piece_write(ctx, pkt, length, more ? 0 : IPV4_MORE_FRAGMENTS);
}

#endif
