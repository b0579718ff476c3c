/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between an IPv6 client and an IPv4 server of FullNAT: the IP header is replaced (RFC 7915). Transport checksums follow by
 * the difference of the addresses alone: the mapped form that addresses have here adds nothing to a sum. Fragments and
 * extension headers have no counterpart that the other side could use; ICMP errors are composed anew from what both have:
 * the headers, and 8 bytes of transport.
 */
#ifndef BPVS_TRANSLATE_H
#define BPVS_TRANSLATE_H

#include "csum.h"
#include "maps.h"
#include "packet.h"
#include "parse.h"

#define FAMILY_DIFFERENCE ((__u32)(sizeof(struct ipv6hdr) - sizeof(struct iphdr)))
#define QUOTED_TRANSPORT 8
#define IPV6_LEAST_MTU 1280

/* Does the server have the other family than the client? */
static __always_inline bool conn_crosses(const struct conn *conn)
{
	return conn->method == METHOD_FULLNAT && address_is_ipv4(&conn->server) != address_is_ipv4(&conn->client);
}

/* A UDP datagram without checksum has none to go on with in IPv6 (RFC 7915 section 4.5). */
static __always_inline bool translate_can(hook_ctx *ctx, const struct packet *pkt)
{
	struct udphdr *udp = packet_at(ctx, pkt->l4, sizeof(*udp));

	if (pkt->is_part || !udp)
		return false;
	if (pkt->protocol == IPPROTO_UDP && pkt->family == FAMILY_IPV4 && !udp->check)
		return false;
	return pkt->l4 - pkt->l3 == (pkt->family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
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

/* Replaces the IP header by one of the other family; false where the frame cannot take it. Not static: verified once. */
__noinline int translate_header(hook_ctx *ctx, struct packet *pkt, const struct address *src, const struct address *dst)
{
	struct ipv6hdr ipv6 = {};
	struct iphdr ipv4 = {};
	__u32 l3, payload;
	__u8 tos, ttl;

	if (!pkt || !src || !dst || !translate_can(ctx, pkt))
		return false;
	l3 = pkt->l3 & MAX_OFFSET;
	tos = translate_tos(ctx, pkt);
	ttl = translate_ttl(pkt);
	payload = translate_payload(ctx, pkt->family, l3);
	if (pkt->family == FAMILY_IPV6) {
		if (!hook_change_family(ctx, FAMILY_IPV4))
			return false;
		translate_fill_ipv4(&ipv4, src, dst, sizeof(ipv4) + payload, tos, ttl, pkt->protocol);
		hook_store(ctx, l3, &ipv4, sizeof(ipv4));
		pkt->l4 -= FAMILY_DIFFERENCE;
		pkt->payload -= FAMILY_DIFFERENCE;
		pkt->family = FAMILY_IPV4;
		pkt->is_translated = true;
		return true;
	}
	if (!hook_change_family(ctx, FAMILY_IPV6))
		return false;
	translate_fill_ipv6(&ipv6, src, dst, sizeof(ipv6) + payload, tos, ttl, pkt->protocol);
	hook_store(ctx, l3, &ipv6, sizeof(ipv6));
	pkt->l4 += FAMILY_DIFFERENCE;
	pkt->payload += FAMILY_DIFFERENCE;
	pkt->family = FAMILY_IPV6;
	pkt->is_translated = true;
	return true;
}

#endif
