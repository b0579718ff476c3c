/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between an IPv6 client and an IPv4 server of FullNAT: the IP header is replaced (RFC 7915). Transport checksums follow by
 * the difference of the addresses alone: the mapped form that addresses have here adds nothing to a sum. A fragment has a
 * header of its own in IPv6. Other extension headers and options have no counterpart that the other side could use; ICMP
 * errors are composed anew from what both have: the headers, and 8 bytes of transport.
 */
#ifndef BPVS_TRANSLATE_H
#define BPVS_TRANSLATE_H

#include "csum.h"
#include "maps.h"
#include "packet.h"
#include "parse.h"

#define FAMILY_DIFFERENCE ((__u32)(sizeof(struct ipv6hdr) - sizeof(struct iphdr)))
#define FRAGMENT_HEADER ((__u32)sizeof(struct fragment_header))
#define QUOTED_TRANSPORT 8
#define IPV6_LEAST_MTU 1280
#define IPV6_MORE_FRAGMENTS 1

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* IPV6_MORE_FRAGMENTS in its lowest bit */
	__be32 id;
};

/* Does the server have the other family than the client? */
static __always_inline bool conn_crosses(const struct conn *conn)
{
	return conn->method == METHOD_FULLNAT && address_is_ipv4(&conn->server) != address_is_ipv4(&conn->client);
}

/* Bytes of IPv6's extension header. */
static __always_inline __u32 translate_extension(const struct packet *pkt)
{
	return pkt->is_part ? FRAGMENT_HEADER : 0;
}

/* Bytes by which the packet's headers are longer in IPv6. */
static __always_inline __u32 translate_difference(const struct packet *pkt)
{
	return FAMILY_DIFFERENCE + translate_extension(pkt);
}

/* A UDP datagram without checksum has none to go on with in IPv6 (RFC 7915 section 4.5). */
static __always_inline bool translate_can(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 headers = pkt->l4 - pkt->l3;
	struct udphdr *udp;

	if (pkt->is_part && pkt->part_protocol != pkt->protocol)
		return false;
	if (pkt->family == FAMILY_IPV6)
		return headers == sizeof(struct ipv6hdr) + translate_extension(pkt);
	if (headers != sizeof(struct iphdr) || pkt->protocol != IPPROTO_UDP || pkt->is_fragment)
		return headers == sizeof(struct iphdr);
	udp = packet_at(ctx, pkt->l4, sizeof(*udp));
	return udp && udp->check;
}

static __always_inline __u8 translate_ttl(const struct packet *pkt)
{
	return pkt->keeps_ttl ? pkt->ttl : pkt->ttl - 1;
}

static __always_inline void translate_fill_ipv4(struct iphdr *ip, const struct address *src, const struct address *dst,
						__u32 length, __u8 tos, __u8 ttl, __u8 protocol)
{
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = tos;
	ip->tot_len = bpf_htons(length);
	ip->frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	ip->ttl = ttl;
	ip->protocol = protocol;
	ip->saddr = src->word[3];
	ip->daddr = dst->word[3];
	ip->check = 0;
	ip->check = ~csum_fold16(csum_words(ip, sizeof(*ip)));
}

static __always_inline void translate_fill_ipv6(struct ipv6hdr *ip, const struct address *src,
						const struct address *dst, __u32 length, __u8 tos, __u8 ttl,
						__u8 protocol)
{
	*(__be32 *)ip = bpf_htonl(6U << 28 | (__u32)tos << 20);
	ip->payload_len = bpf_htons(length - sizeof(*ip));
	ip->nexthdr = protocol;
	ip->hop_limit = ttl;
	__builtin_memcpy(&ip->saddr, src, sizeof(*src));
	__builtin_memcpy(&ip->daddr, dst, sizeof(*dst));
}

static __always_inline __u8 translate_tos(hook_ctx *ctx, const struct packet *pkt)
{
	__u16 *start = packet_at(ctx, pkt->l3, sizeof(*start));

	if (!start)
		return 0;
	return pkt->family == FAMILY_IPV6 ? bpf_ntohs(*start) >> 4 : bpf_ntohs(*start);
}

/* Bytes behind the IP header at an offset, as that tells; one without options. */
static __always_inline __u32 translate_payload(hook_ctx *ctx, __u8 family, __u32 l3)
{
	__be16 *length = packet_at(ctx, l3 + (family == FAMILY_IPV6 ? 4 : 2), sizeof(*length));

	if (!length)
		return 0;
	return bpf_ntohs(*length) - (family == FAMILY_IPV6 ? 0 : sizeof(struct iphdr));
}

/* Makes the header that of a fragment, by IPv6's header of one. */
static __always_inline void translate_divide(struct iphdr *ip, const struct fragment_header *part)
{
	__u16 offset = bpf_ntohs(part->offset);

	ip->id = bpf_htons(bpf_ntohl(part->id));
	ip->frag_off = bpf_htons(offset >> 3 | (offset & IPV6_MORE_FRAGMENTS ? IPV4_MORE_FRAGMENTS : 0));
	ip->check = 0;
	ip->check = ~csum_fold16(csum_words(ip, sizeof(*ip)));
}

static __always_inline bool translate_to_ipv4(hook_ctx *ctx, struct packet *pkt, const struct address *src,
					      const struct address *dst)
{
	__u32 l3 = pkt->l3 & MAX_OFFSET, more = translate_extension(pkt);
	__u32 payload = translate_payload(ctx, pkt->family, l3) - more;
	struct fragment_header *header, part = {};
	__u8 tos = translate_tos(ctx, pkt);
	struct iphdr ip = {};

	if (more) {
		header = packet_at(ctx, l3 + sizeof(struct ipv6hdr), sizeof(*header));
		if (!header)
			return false;
		part = *header;
	}
	if (!hook_change_family(ctx, FAMILY_IPV4, more))
		return false;
	translate_fill_ipv4(&ip, src, dst, sizeof(ip) + payload, tos, translate_ttl(pkt), pkt->protocol);
	if (more)
		translate_divide(&ip, &part);
	hook_store(ctx, l3, &ip, sizeof(ip));
	pkt->l4 -= FAMILY_DIFFERENCE + more;
	pkt->payload -= FAMILY_DIFFERENCE + more;
	pkt->family = FAMILY_IPV4;
	return true;
}

static __always_inline bool translate_to_ipv6(hook_ctx *ctx, struct packet *pkt, const struct address *src,
					      const struct address *dst)
{
	__u32 l3 = pkt->l3 & MAX_OFFSET, more = translate_extension(pkt);
	struct fragment_header part = { .next = pkt->protocol };
	__u32 payload = translate_payload(ctx, pkt->family, l3) + more;
	struct iphdr *from = packet_at(ctx, l3, sizeof(*from));
	__u8 tos = translate_tos(ctx, pkt);
	struct ipv6hdr ip = {};
	__u16 offset;

	if (!from)
		return false;
	offset = bpf_ntohs(from->frag_off);
	part.offset = bpf_htons(offset << 3 | (offset & IPV4_MORE_FRAGMENTS ? IPV6_MORE_FRAGMENTS : 0));
	part.id = bpf_htonl(bpf_ntohs(from->id));
	if (!hook_change_family(ctx, FAMILY_IPV6, more))
		return false;
	translate_fill_ipv6(&ip, src, dst, sizeof(ip) + payload, tos, translate_ttl(pkt),
			    more ? NEXTHDR_FRAGMENT : pkt->protocol);
	hook_store(ctx, l3, &ip, sizeof(ip));
	if (more)
		hook_store(ctx, l3 + sizeof(ip), &part, sizeof(part));
	pkt->l4 += FAMILY_DIFFERENCE + more;
	pkt->payload += FAMILY_DIFFERENCE + more;
	pkt->family = FAMILY_IPV6;
	return true;
}

/* Replaces the IP header by one of the other family; false where the frame cannot take it. Not static: verified once. */
__noinline int translate_header(hook_ctx *ctx, struct packet *pkt, const struct address *src, const struct address *dst)
{
	if (!pkt || !src || !dst || !translate_can(ctx, pkt))
		return false;
	pkt->is_translated = true;
	return pkt->family == FAMILY_IPV6 ? translate_to_ipv4(ctx, pkt, src, dst)
					  : translate_to_ipv6(ctx, pkt, src, dst);
}

#endif
