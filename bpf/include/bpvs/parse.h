/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From frame to flow key. FORWARDED (0) means "go on"; anything else is the packet's verdict.
 *
 * parse_ip() and parse_ports() serve the outer and, for ICMP errors, the embedded packet. The embedded packet travels
 * against the error, so its key is turned round: an error about a request is part of the reply direction.
 */
#ifndef BPVS_PARSE_H
#define BPVS_PARSE_H

#include "fragment.h"
#include "packet.h"
#include "sctp.h"

#define MAX_EXTENSIONS 6 /* IPv6 extension headers that are walked over */

#define TRANSPORT_LEAST 8 /* bytes of a UDP or ICMP header */

#define NEXTHDR_HOP 0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_DEST 60

#define IPV6_FRAGMENT_OFFSET 0xfff8

/* <linux/icmp.h> would bring the C library's headers in */
enum icmp_type {
	ICMP_UNREACHABLE = 3,
	ICMP_QUENCH = 4,
	ICMP_EXPIRED = 11,
	ICMP_TOO_BIG_CODE = 4, /* of ICMP_UNREACHABLE: fragmentation needed */
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_EXPIRED = 3,
	ICMPV6_PARAMETER = 4,
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 check;
	__be32 rest;
};

/* What a fragment header tells. */
struct part {
	__u32 id;
	__u16 offset; /* of a later fragment: not 0 */
	__u8 protocol;
	bool is_part;
};

struct ip_info {
	struct address src;
	struct address dst;
	__u32 l4;     /* offset of the transport header */
	__u32 length; /* bytes from the IP header on */
	struct part part;
	bool may_be_cut;
	__u8 protocol;
	__u8 ttl;
};

struct ipv6_extension {
	__u8 next;
	__u8 length; /* in units of 8 bytes, the first not counted */
	__u8 data[6];
};

static __always_inline enum verdict parse_ipv4(hook_ctx *ctx, __u32 l3, struct ip_info *ip)
{
	struct iphdr *header = packet_at(ctx, l3, sizeof(*header));

	if (!header || header->version != 4 || header->ihl < 5)
		return PASS_MALFORMED;
	ip->part.is_part = header->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	ip->part.offset = header->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET);
	ip->part.id = header->id;
	ip->part.protocol = header->protocol;
	ip->may_be_cut = !(header->frag_off & bpf_htons(IPV4_DONT_FRAGMENT));
	ip->src = address_ipv4(header->saddr);
	ip->dst = address_ipv4(header->daddr);
	ip->l4 = l3 + header->ihl * 4;
	ip->length = bpf_ntohs(header->tot_len);
	ip->protocol = header->protocol;
	ip->ttl = header->ttl;
	return FORWARDED;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == NEXTHDR_HOP || next == NEXTHDR_ROUTING || next == NEXTHDR_DEST || next == NEXTHDR_FRAGMENT;
}

/*
 * Walks over extension headers: offset of what follows them << 8 | its protocol, or minus the verdict. Behind the fragment
 * header of a later fragment there are no others. Not static: the verifier then looks at it once and forgets the many ways
 * through.
 */
__noinline int parse_extensions(hook_ctx *ctx, __u32 at, __u8 next, struct part *part)
{
	for (int i = 0; i < MAX_EXTENSIONS && is_extension(next); i++) {
		struct ipv6_extension *extension;

		extension = packet_at(ctx, at, sizeof(*extension));
		if (!extension || !part)
			return -PASS_MALFORMED;
		if (next == NEXTHDR_FRAGMENT) {
			part->is_part = true;
			part->offset = *(__be16 *)&extension->data[0] & bpf_htons(IPV6_FRAGMENT_OFFSET);
			part->id = *(__be32 *)&extension->data[2];
			part->protocol = extension->next;
			next = extension->next;
			at += sizeof(*extension);
			if (part->offset)
				break;
			continue;
		}
		next = extension->next;
		at += (extension->length + 1) * 8;
	}
	return at << 8 | next;
}

static __always_inline enum verdict parse_ipv6(hook_ctx *ctx, __u32 l3, struct ip_info *ip)
{
	struct ipv6hdr *header = packet_at(ctx, l3, sizeof(*header));
	int found;

	if (!header || header->version != 6)
		return PASS_MALFORMED;
	ip->src = address_ipv6(&header->saddr);
	ip->dst = address_ipv6(&header->daddr);
	if (address_is_ipv4(&ip->src) || address_is_ipv4(&ip->dst)) /* never on the wire, and it would pass for IPv4 */
		return PASS_MALFORMED;
	ip->length = bpf_ntohs(header->payload_len) + sizeof(*header);
	ip->ttl = header->hop_limit;
	ip->l4 = l3 + sizeof(*header);
	ip->protocol = header->nexthdr;
	if (!is_extension(ip->protocol))
		return FORWARDED;
	found = parse_extensions(ctx, ip->l4, ip->protocol, &ip->part);
	if (found < 0)
		return -found;
	ip->l4 = found >> 8;
	ip->protocol = found;
	return FORWARDED;
}

static __always_inline enum verdict parse_ip(hook_ctx *ctx, __u8 family, __u32 l3, struct ip_info *ip)
{
	return family == FAMILY_IPV4 ? parse_ipv4(ctx, l3, ip) : parse_ipv6(ctx, l3, ip);
}

/* Ports of TCP, UDP and SCTP lie in the same place. */
static __always_inline bool parse_ports(hook_ctx *ctx, __u32 l4, __be16 *src, __be16 *dst)
{
	struct udphdr *header = packet_at(ctx, l4, sizeof(*header));

	if (!header)
		return false;
	*src = header->source;
	*dst = header->dest;
	return true;
}

static __always_inline bool protocol_has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* These carry the packet that they complain about (RFC 792, RFC 4443). */
static __always_inline bool icmp_is_error(__u8 family, __u8 type)
{
	if (family == FAMILY_IPV6)
		return type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER;
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_EXPIRED;
}

/* The key still holds the error's own addresses. Not static either. */
__noinline int parse_icmp(hook_ctx *ctx, struct packet *pkt)
{
	struct icmp_header *header;
	struct ip_info inner = {};
	enum verdict verdict;

	header = pkt ? packet_at(ctx, pkt->l4, sizeof(*header)) : NULL;
	if (!header)
		return PASS_MALFORMED;
	if (!icmp_is_error(pkt->family, header->type))
		return PASS_NOT_TRANSPORT;
	pkt->is_error = true;
	pkt->inner_l3 = pkt->l4 + sizeof(*header);
	verdict = parse_ip(ctx, pkt->family, pkt->inner_l3, &inner);
	if (verdict)
		return verdict;
	if (inner.part.offset)
		return PASS_FRAGMENT;
	if (!protocol_has_ports(inner.protocol))
		return PASS_NOT_TRANSPORT;
	if (!address_equal(&inner.src, &pkt->key.dst)) /* an error goes to whoever sent the packet */
		return PASS_MALFORMED;
	if (inner.l4 + TRANSPORT_LEAST > pkt->l3 + pkt->length)
		return PASS_MALFORMED;
	pkt->inner_l4 = inner.l4;
	pkt->key.src = inner.dst;
	pkt->key.dst = inner.src;
	pkt->key.protocol = inner.protocol;
	return parse_ports(ctx, inner.l4, &pkt->key.dport, &pkt->key.sport) ? FORWARDED : PASS_MALFORMED;
}

static __always_inline enum verdict parse_transport(hook_ctx *ctx, struct packet *pkt)
{
	struct tcphdr *tcp;

	if (!parse_ports(ctx, pkt->l4, &pkt->key.sport, &pkt->key.dport))
		return PASS_MALFORMED;
	pkt->payload = pkt->l4 + sizeof(struct udphdr);
	if (pkt->protocol == IPPROTO_UDP)
		return FORWARDED;
	if (pkt->protocol == IPPROTO_SCTP)
		return parse_sctp(ctx, pkt);
	tcp = packet_at(ctx, pkt->l4, sizeof(*tcp));
	if (!tcp || tcp->doff < 5 || pkt->l4 + tcp->doff * 4 > pkt->l3 + pkt->length)
		return PASS_MALFORMED;
	pkt->payload = pkt->l4 + tcp->doff * 4;
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	return FORWARDED;
}

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return pkt->protocol == (pkt->family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Is it a fragment whose first one alone tells the protocol, behind another extension header? */
static __always_inline bool hides_protocol(const struct packet *pkt)
{
	return pkt->is_part && pkt->family == FAMILY_IPV6 && is_extension(pkt->part_protocol);
}

/* A later fragment, with protocol and ports of the first; without, TC has it wait for that. */
static __always_inline enum verdict parse_fragment(struct packet *pkt)
{
	if (pkt->l3 + pkt->length < pkt->l4)
		return PASS_MALFORMED;
	pkt->is_fragment = true;
	pkt->payload = pkt->l4;
	if (!protocol_has_ports(pkt->protocol) && !hides_protocol(pkt))
		return PASS_NOT_TRANSPORT;
	if (!fragment_find(pkt))
		return HOOK_IS_COMPLETE ? HOLD_FRAGMENT : PASS_TO_TC;
	pkt->key.protocol = pkt->protocol;
	return protocol_has_ports(pkt->protocol) ? FORWARDED : PASS_NOT_TRANSPORT;
}

/* The packet has a transport header, or is a first fragment. */
static __always_inline enum verdict parse_whole(hook_ctx *ctx, struct packet *pkt)
{
	if (pkt->l3 + pkt->length < pkt->l4 + TRANSPORT_LEAST)
		return PASS_MALFORMED;
	if (is_icmp(pkt))
		return parse_icmp(ctx, pkt);
	if (!protocol_has_ports(pkt->protocol))
		return PASS_NOT_TRANSPORT;
	pkt->key.protocol = pkt->protocol;
	return parse_transport(ctx, pkt);
}

static __always_inline enum verdict parse(hook_ctx *ctx, struct packet *pkt)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct ip_info ip = {};
	enum verdict verdict;

	if (!frame)
		return PASS_NOT_IP;
	if (frame->protocol == bpf_htons(ETH_P_IP))
		pkt->family = FAMILY_IPV4;
	else if (frame->protocol == bpf_htons(ETH_P_IPV6))
		pkt->family = FAMILY_IPV6;
	else
		return PASS_NOT_IP;
	pkt->l3 = sizeof(*frame);
	verdict = parse_ip(ctx, pkt->family, pkt->l3, &ip);
	if (verdict)
		return verdict;
	pkt->l4 = ip.l4;
	pkt->length = ip.length;
	if (hook_segment_size(ctx)) /* merged packets may be longer than an IP header can tell */
		pkt->length = hook_length(ctx) - pkt->l3;
	else if (pkt->l3 + pkt->length > hook_length(ctx))
		return PASS_MALFORMED;
	pkt->protocol = ip.protocol;
	pkt->ttl = ip.ttl;
	pkt->key.src = ip.src;
	pkt->key.dst = ip.dst;
	pkt->is_part = ip.part.is_part;
	pkt->may_be_cut = ip.may_be_cut;
	pkt->fragment_id = ip.part.id;
	pkt->part_protocol = ip.part.protocol;
	if (ip.part.offset)
		return parse_fragment(pkt);
	verdict = parse_whole(ctx, pkt);
	if (pkt->is_part && !pkt->is_error && (!verdict || hides_protocol(pkt)))
		fragment_note(pkt);
	return verdict;
}

#endif
