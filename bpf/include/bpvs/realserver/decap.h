/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From outer to inner packet: what may be let in, and the outer headers taken off in front of the stack. Bytes are
 * changed through helpers only: a program that writes directly makes the kernel copy the head of every packet that
 * somebody else (a local sender, tcpdump) still holds, plain ones too.
 */
#ifndef BPVS_REALSERVER_DECAP_H
#define BPVS_REALSERVER_DECAP_H

#include "checksum.h"
#include "outer.h"
#include <linux/pkt_cls.h>

/* Linux 6.3; newer than the headers of Debian 12 */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)

#define EINVAL 22 /* <errno.h> is the C library's */

enum ecn {
	ECN_NONE,
	ECN_ECT1,
	ECN_ECT0,
	ECN_CE,
};

/* Is the inner packet one for a VIP, and whole? */
static __always_inline enum fate inner_admit(hook_ctx *ctx, struct outer *outer)
{
	struct address dst;
	__u32 length;

	if (outer->inner_family == FAMILY_IPV4) {
		struct iphdr *ip = packet_at(ctx, outer->inner, sizeof(*ip));

		if (!ip || ip->version != 4 || ip->ihl < 5)
			return LEFT_MALFORMED;
		dst = address_ipv4(ip->daddr);
		length = bpf_ntohs(ip->tot_len);
		if (length < sizeof(*ip))
			return LEFT_MALFORMED;
	} else {
		struct ipv6hdr *ip = packet_at(ctx, outer->inner, sizeof(*ip));

		if (!ip || ip->version != 6)
			return LEFT_MALFORMED;
		dst = address_ipv6(&ip->daddr);
		length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	}
	if (!bpf_map_lookup_elem(&vips, &dst))
		return LEFT_NO_VIP;
	outer->inner_end = outer->inner + length;
	return outer->inner_end > outer->end ? LEFT_MALFORMED : FATE_NONE;
}

/*
 * Were datagrams of GUE merged behind the headers of the first (UDP GRO for forwarding)? Each has a tunnel's and an inner
 * header of its own, and would lose what follows the first. Else the length of the one inner header tells of everything.
 */
static __always_inline bool is_train(hook_ctx *ctx, const struct outer *outer)
{
	return ctx->gso_size && outer->inner_end != outer->end;
}

/* RFC 6040, figure 4: what the inner packet says after it met the outer one's congestion; negative: drop it. */
static __always_inline int ecn_after(__u8 outer, __u8 inner)
{
	if (inner == ECN_NONE)
		return outer == ECN_CE ? -1 : ECN_NONE;
	if (inner == ECN_CE || outer == ECN_CE)
		return ECN_CE;
	return outer == ECN_ECT1 ? ECN_ECT1 : inner;
}

static __always_inline enum fate ecn_ipv4(hook_ctx *ctx, const struct outer *outer)
{
	struct iphdr *ip = packet_at(ctx, outer->inner, sizeof(*ip));
	__u16 check;
	__u8 tos;
	int ecn;

	if (!ip)
		return DROPPED_REFUSED;
	ecn = ecn_after(outer->ecn, ip->tos & 3);
	if (ecn < 0)
		return DROPPED_CONGESTION;
	tos = (ip->tos & ~3) | ecn;
	if (tos == ip->tos)
		return FATE_NONE;
	check = csum_apply(ip->check, csum_delta16(bpf_htons(ip->tos), bpf_htons(tos)));
	/* The two changes cancel out in skb->csum. */
	if (bpf_skb_store_bytes(ctx, outer->inner + offsetof(struct iphdr, tos), &tos, sizeof(tos), 0) ||
	    bpf_skb_store_bytes(ctx, outer->inner + offsetof(struct iphdr, check), &check, sizeof(check), 0))
		return DROPPED_REFUSED;
	return FATE_NONE;
}

static __always_inline enum fate ecn_ipv6(hook_ctx *ctx, const struct outer *outer)
{
	__be16 *first = packet_at(ctx, outer->inner, sizeof(*first)); /* version, traffic class, flow label's begin */
	__be16 word;
	int ecn;

	if (!first)
		return DROPPED_REFUSED;
	word = *first;
	ecn = ecn_after(outer->ecn, bpf_ntohs(word) >> 4 & 3);
	if (ecn < 0)
		return DROPPED_CONGESTION;
	word = (word & ~bpf_htons(3 << 4)) | bpf_htons(ecn << 4);
	if (word == *first)
		return FATE_NONE;
	if (bpf_skb_store_bytes(ctx, outer->inner, &word, sizeof(word), BPF_F_RECOMPUTE_CSUM))
		return DROPPED_REFUSED;
	return FATE_NONE;
}

/*
 * Before Linux 6.3 the kernel cannot be told that the family changes. It then wants at least an IPv6 header's bytes to
 * remain, and the frame has to come in once more to be seen as what it is now.
 */
static __always_inline int strip_and_return(hook_ctx *ctx, const struct outer *outer, __u32 room)
{
	__u32 least = outer->inner + sizeof(struct ipv6hdr);

	if (ctx->len < least && bpf_skb_change_tail(ctx, least, 0))
		return TC_ACT_SHOT;
	if (bpf_skb_adjust_room(ctx, -(__s32)room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return TC_ACT_SHOT;
	return bpf_redirect(ctx->ifindex, BPF_F_INGRESS);
}

/* Takes the outer headers off. Segments of a merged packet keep their size: it was the inner packet's before. */
static __always_inline int strip(hook_ctx *ctx, const struct outer *outer)
{
	bool inner_is_ipv4 = outer->inner_family == FAMILY_IPV4;
	__be16 protocol = inner_is_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__u32 room = outer->inner - L3;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	int action = TC_ACT_UNSPEC;
	long result;

	if (outer->family != outer->inner_family)
		flags |= inner_is_ipv4 ? ADJ_ROOM_DECAP_L3_IPV4 : ADJ_ROOM_DECAP_L3_IPV6;
	result = bpf_skb_adjust_room(ctx, -(__s32)room, BPF_ADJ_ROOM_MAC, flags);
	if (result == -EINVAL && outer->family != outer->inner_family)
		action = strip_and_return(ctx, outer, room);
	else if (result)
		action = TC_ACT_SHOT;
	if (action == TC_ACT_SHOT)
		return action;
	if (bpf_skb_store_bytes(ctx, offsetof(struct frame, protocol), &protocol, sizeof(protocol), 0))
		return TC_ACT_SHOT;
	bpf_set_hash_invalid(ctx); /* it was the outer flow's */
	return action;
}

static __always_inline enum fate ended_by(const struct outer *outer)
{
	if (outer->protocol == IPPROTO_UDP)
		return ENDED_GUE;
	return outer->protocol == IPPROTO_GRE ? ENDED_GRE : ENDED_IPIP;
}

#endif
