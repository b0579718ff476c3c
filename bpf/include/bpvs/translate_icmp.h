/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors between an IPv6 client and an IPv4 server (RFC 7915 sections 4.2 and 5.2): composed anew. The receiver gets
 * the headers as it had sent them, and 8 bytes of transport.
 */
#ifndef BPVS_TRANSLATE_ICMP_H
#define BPVS_TRANSLATE_ICMP_H

#include "forward/nat.h"
#include "translate.h"

#define ICMPV6_PORT_UNREACHABLE 4
#define ICMP_HOST_UNREACHABLE 1
#define ICMP_PORT_UNREACHABLE 3

struct quoted_ipv4 {
	struct iphdr outer;
	struct icmp_header icmp;
	struct iphdr inner;
	__be16 ports[2];
	__be32 rest;
};

struct quoted_ipv6 {
	struct ipv6hdr outer;
	struct icmp_header icmp;
	struct ipv6hdr inner;
	__be16 ports[2];
	__be32 rest;
};

/* Where a CPU composes an error: the stack has no room for it. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quoted_ipv6);
} quotes SEC(".maps");

/* less: bytes by which the embedded packet's headers are shorter in IPv4. */
static __always_inline bool icmp_kind_for_ipv4(const struct icmp_header *from, struct icmp_header *to, __u32 less)
{
	__u32 mtu = bpf_ntohl(from->rest);

	to->type = from->type == ICMPV6_EXPIRED ? ICMP_EXPIRED : ICMP_UNREACHABLE;
	to->code = from->code;
	if (from->type == ICMPV6_UNREACHABLE)
		to->code = from->code == ICMPV6_PORT_UNREACHABLE ? ICMP_PORT_UNREACHABLE : ICMP_HOST_UNREACHABLE;
	if (from->type == ICMPV6_TOO_BIG) {
		to->code = ICMP_TOO_BIG_CODE;
		to->rest = bpf_htonl(mtu > IPV6_LEAST_MTU ? (mtu - less) & 0xffff : IPV6_LEAST_MTU - less);
	}
	return from->type != ICMPV6_PARAMETER;
}

static __always_inline bool icmp_kind_for_ipv6(const struct icmp_header *from, struct icmp_header *to)
{
	__u32 mtu = (bpf_ntohl(from->rest) & 0xffff) + FAMILY_DIFFERENCE;

	if (from->type == ICMP_EXPIRED) {
		to->type = ICMPV6_EXPIRED;
		to->code = from->code;
		return true;
	}
	to->type = ICMPV6_UNREACHABLE;
	to->code = from->code == ICMP_PORT_UNREACHABLE ? ICMPV6_PORT_UNREACHABLE : 0;
	if (from->code == ICMP_TOO_BIG_CODE) {
		to->type = ICMPV6_TOO_BIG;
		to->code = 0;
		to->rest = bpf_htonl(mtu > IPV6_LEAST_MTU ? mtu : IPV6_LEAST_MTU);
	}
	return from->type == ICMP_UNREACHABLE;
}

static __always_inline bool quote_for_ipv4(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends,
					   struct quoted_ipv4 *quote, __be32 rest)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->l4, sizeof(*icmp));
	__u32 payload = translate_payload(ctx, pkt->family, pkt->inner_l3), headers = pkt->inner_l4 - pkt->inner_l3;

	if (!icmp || !icmp_kind_for_ipv4(icmp, &quote->icmp, headers - sizeof(struct iphdr)))
		return false;
	payload -= headers - sizeof(struct ipv6hdr);
	translate_fill_ipv4(&quote->outer, ends->src, ends->dst, sizeof(*quote), 0, translate_ttl(pkt), IPPROTO_ICMP);
	translate_fill_ipv4(&quote->inner, ends->dst, ends->src, sizeof(struct iphdr) + payload, 0, pkt->ttl,
			    pkt->key.protocol);
	quote->ports[0] = ends->dport;
	quote->ports[1] = ends->sport;
	quote->rest = rest;
	quote->icmp.check = ~csum_fold16(csum_words(&quote->icmp, sizeof(*quote) - sizeof(quote->outer)));
	return true;
}

static __always_inline bool quote_for_ipv6(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends,
					   struct quoted_ipv6 *quote, __be32 rest)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->l4, sizeof(*icmp));
	__u32 payload = translate_payload(ctx, pkt->family, pkt->inner_l3),
	      size = sizeof(*quote) - sizeof(quote->outer);
	__u64 sum = bpf_htons(size) + bpf_htons(IPPROTO_ICMPV6);

	if (!icmp || !icmp_kind_for_ipv6(icmp, &quote->icmp))
		return false;
	translate_fill_ipv6(&quote->outer, ends->src, ends->dst, sizeof(*quote), 0, translate_ttl(pkt), IPPROTO_ICMPV6);
	translate_fill_ipv6(&quote->inner, ends->dst, ends->src, sizeof(struct ipv6hdr) + payload, 0, pkt->ttl,
			    pkt->key.protocol);
	quote->ports[0] = ends->dport;
	quote->ports[1] = ends->sport;
	quote->rest = rest;
	sum += csum_words(&quote->outer.saddr, 2 * sizeof(quote->outer.saddr)) + csum_words(&quote->icmp, size);
	quote->icmp.check = ~csum_fold16(sum);
	return true;
}

/* Turns the error into one of the other family; false, at times with the packet spoilt, where that cannot be. */
__noinline int translate_error(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	struct quoted_ipv6 *quote;
	struct ends ends;
	__u32 zero = 0, l3, size;
	__be32 *rest, number;
	bool ipv4;

	quote = bpf_map_lookup_elem(&quotes, &zero);
	if (!pkt || !conn || !quote)
		return false;
	rest = packet_at(ctx, pkt->inner_l4 + 4, sizeof(*rest));
	if (!rest)
		return false;
	number = *rest;
	if (conn->state & CONN_SYNPROXY && pkt->direction == DIR_IN)
		number = bpf_htonl(bpf_ntohl(number) - conn->shift);
	__builtin_memset(quote, 0, sizeof(*quote));
	ends = nat_ends(pkt, conn);
	l3 = pkt->l3 & MAX_OFFSET;
	ipv4 = pkt->family == FAMILY_IPV6; /* it becomes */
	size = ipv4 ? sizeof(struct quoted_ipv4) : sizeof(struct quoted_ipv6);
	if (ipv4 ? !quote_for_ipv4(ctx, pkt, &ends, (void *)quote, number)
		 : !quote_for_ipv6(ctx, pkt, &ends, quote, number))
		return false;
	if (!hook_change_family(ctx, ipv4 ? FAMILY_IPV4 : FAMILY_IPV6, 0) || !hook_resize(ctx, l3 + size))
		return false;
	if (ipv4)
		hook_store(ctx, l3, quote, sizeof(struct quoted_ipv4));
	else
		hook_store(ctx, l3, quote, sizeof(struct quoted_ipv6));
	return true;
}

#endif
