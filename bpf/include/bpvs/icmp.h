/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about a NATed flow (RFC 5508): the outer addresses become what the receiver knows, and so do addresses,
 * ports and transport checksum of the embedded packet, as far as it reaches. Toward the client an error comes from the
 * virtual address, whoever sent it; toward a server of NAT from whoever sent it, of FullNAT from the local address.
 * Everything that changed is added up in one delta for the ICMP checksum; a wrong one stays wrong and is the receiver's
 * to drop.
 */
#ifndef BPVS_ICMP_H
#define BPVS_ICMP_H

#include "forward/nat.h"

/* Writes one 16-bit word; its delta, 0 where the packet ends before. */
static __always_inline __u32 icmp_store16(hook_ctx *ctx, __u32 offset, __u16 value)
{
	__u16 *at = packet_at(ctx, offset, sizeof(*at));
	__u32 delta;

	if (!at || *at == value)
		return 0;
	delta = csum_delta16(*at, value);
	hook_store(ctx, offset, &value, sizeof(value));
	return delta;
}

/* Changes a checksum by delta. In UDP 0 means "none", so a sum of 0 is written as its other form there. */
static __always_inline __u32 icmp_correct(hook_ctx *ctx, __u32 offset, __u32 delta, bool udp)
{
	__u16 *at = packet_at(ctx, offset, sizeof(*at));
	__u16 sum;

	if (!at || (udp && !*at))
		return 0;
	sum = csum_apply(*at, delta);
	return icmp_store16(ctx, offset, udp && !sum ? 0xffff : sum);
}

/* Writes an address into the IP header at l3; *known is its delta. What it adds to a sum over the header. */
static __always_inline __u32 icmp_address(hook_ctx *ctx, __u8 family, __u32 l3, bool source,
					  const struct address *address, __u32 *known)
{
	struct address *at;
	struct address old;
	__u32 offset;

	if (family == FAMILY_IPV4) {
		__be32 *word;

		offset = l3 +
			 (source ? __builtin_offsetof(struct iphdr, saddr) : __builtin_offsetof(struct iphdr, daddr));
		word = packet_at(ctx, offset, sizeof(*word));
		if (!word)
			return 0;
		old = address_ipv4(*word);
		*known = csum_delta_address(&old, address);
		hook_store(ctx, offset, &address->word[3], sizeof(*word));
		/* the header's checksum takes up what the address brought: nothing is left for sums around it */
		icmp_correct(ctx, l3 + __builtin_offsetof(struct iphdr, check), *known, false);
		return 0;
	}
	offset = l3 + (source ? __builtin_offsetof(struct ipv6hdr, saddr) : __builtin_offsetof(struct ipv6hdr, daddr));
	at = packet_at(ctx, offset, sizeof(*at));
	if (!at)
		return 0;
	old = *at;
	*known = csum_delta_address(&old, address);
	hook_store(ctx, offset, address, sizeof(*address));
	return *known;
}

static __always_inline void icmp_age(hook_ctx *ctx, const struct packet *pkt)
{
	__u8 ttl = pkt->ttl - 1;

	if (pkt->keeps_ttl)
		return;
	if (pkt->family == FAMILY_IPV6) {
		hook_store(ctx, pkt->l3 + __builtin_offsetof(struct ipv6hdr, hop_limit), &ttl, 1);
		return;
	}
	hook_store(ctx, pkt->l3 + __builtin_offsetof(struct iphdr, ttl), &ttl, 1);
	icmp_correct(ctx, pkt->l3 + __builtin_offsetof(struct iphdr, check), csum_delta16(bpf_htons(0x0100), 0), false);
}

/* Adds to the sequence number that the embedded TCP header begins with; what that adds to a sum around it. */
static __always_inline __u32 icmp_shift(hook_ctx *ctx, __u32 offset, __u32 shift)
{
	__u16 *at = packet_at(ctx, offset, sizeof(__be32));
	__u32 number;

	if (!at)
		return 0;
	number = ((__u32)bpf_ntohs(at[0]) << 16 | bpf_ntohs(at[1])) + shift;
	return icmp_store16(ctx, offset, bpf_htons(number >> 16)) + icmp_store16(ctx, offset + 2, bpf_htons(number));
}

/* The embedded packet travels the other way: its source is the error's destination. */
static __always_inline __u32 icmp_inner(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends, __u32 shift)
{
	__u32 check = pkt->inner_l4 + nat_check_offset(pkt->key.protocol);
	__u32 src = 0, dst = 0, ports;
	__u64 delta;

	delta = icmp_address(ctx, pkt->family, pkt->inner_l3, true, ends->dst, &src);
	delta += icmp_address(ctx, pkt->family, pkt->inner_l3, false, ends->src, &dst);
	ports = icmp_store16(ctx, pkt->inner_l4, ends->dport);
	ports += icmp_store16(ctx, pkt->inner_l4 + 2, ends->sport);
	if (shift) /* the receiver asks whether it sent that */
		ports = csum_fold32((__u64)ports + icmp_shift(ctx, pkt->inner_l4 + 4, shift));
	delta += ports;
	/* what follows is padding; nobody looks at the CRC of an embedded SCTP packet, which is seldom whole */
	if (pkt->key.protocol != IPPROTO_SCTP && check + sizeof(__u16) <= pkt->l3 + pkt->length)
		delta += icmp_correct(ctx, check, csum_fold32((__u64)src + dst + ports),
				      pkt->key.protocol == IPPROTO_UDP);
	return csum_fold32(delta);
}

/* Not static, so that the verifier looks at it once. */
__noinline int forward_icmp(hook_ctx *ctx, struct packet *pkt, struct conn *conn)
{
	__u32 known = 0, shift = 0;
	struct ends ends;
	__u64 delta = 0; /* ICMPv6 sums the outer addresses too */

	if (!pkt || !conn)
		return 0;
	ends = nat_ends(pkt, conn);
	icmp_age(ctx, pkt);
	if (pkt->direction == DIR_OUT || conn->method == METHOD_FULLNAT)
		delta += icmp_address(ctx, pkt->family, pkt->l3, true, ends.src, &known);
	delta += icmp_address(ctx, pkt->family, pkt->l3, false, ends.dst, &known);
	if (conn->state & CONN_SYNPROXY && pkt->direction == DIR_IN)
		shift = -conn->shift;
	delta += icmp_inner(ctx, pkt, &ends, shift);
	icmp_correct(ctx, pkt->l4 + 2, csum_fold32(delta), false);
	return 0;
}

#endif
