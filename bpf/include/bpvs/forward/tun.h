/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IP tunnelling: the client's packet travels whole behind an outer header (RFC 2003, 2473, 4213), with GUE
 * (net/ipv4/fou_core.c) or GRE (RFC 2784) in between. Outer TTL and DSCP are the inner ones, ECN is RFC 6040's. Outer IPv4
 * packets must not be fragmented, unless pmtu_disc is 0: so routers tell the path's MTU, by which clients are told and
 * packets cut, and the tunnel's end needs to put nothing together.
 *
 * The outer checksum of GUE and GRE takes no walk over the payload where that has a right checksum of its own: what it
 * covers then adds up to the complement of its pseudo header ("local checksum offload",
 * Documentation/networking/checksum-offloads.rst). A packet that is cut into segments later goes without: each segment
 * would need its own.
 */
#ifndef BPVS_FORWARD_TUN_H
#define BPVS_FORWARD_TUN_H

#include "../csum.h"
#include "../packet.h"
#include "../path_mtu.h"
#include "route.h"

#define GUE_PORT_FIRST 32768 /* source ports tell flows apart */
#define GUE_PORT_MASK 0x3fff
#define GRE_CHECKSUM 0x8000
#define ECN_MASK 3
#define ECN_CE 3
#define ECN_ECT0 2
#define SUM_BYTES 32 /* bytes that are added up at a time */

struct gue_header {
	struct udphdr udp;
	__u8 version; /* and length of options: both 0 */
	__u8 protocol;
	__be16 flags;
};

struct gre_header {
	__be16 flags;
	__be16 protocol;
	__u16 check;
	__u16 reserved;
};

/* What the outer headers take from the inner packet. */
struct inner {
	__u32 hash; /* of the flow */
	__u32 sum;  /* of all bytes, where an outer checksum is wanted */
	__u16 length;
	__u8 tos;
	__u8 ttl;
	bool is_whole; /* the outer packet must not be fragmented */
	bool is_ipv6;
	bool is_summed;
};

static __always_inline __u32 tun_outer_size(const struct dest *dest)
{
	return address_is_ipv4(&dest->address) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static __always_inline __u32 tun_gre_size(bool is_summed)
{
	return is_summed ? sizeof(struct gre_header) : sizeof(struct gre_header) / 2;
}

/* Bytes that the outer headers take. */
static __always_inline __u32 tun_overhead(const struct dest *dest, bool is_summed)
{
	__u32 size = tun_outer_size(dest);

	if (dest->tunnel.type == TUNNEL_GUE)
		size += sizeof(struct gue_header);
	if (dest->tunnel.type == TUNNEL_GRE)
		size += tun_gre_size(is_summed);
	return size;
}

/* Bytes of an inner packet that fits: the MTU of the way out, or less if a router further on told so. */
static __always_inline __u32 tun_room(const struct dest *dest, __u32 mtu)
{
	return path_mtu(dest, mtu) - tun_overhead(dest, dest->tunnel.check);
}

static __always_inline const struct spread *tun_spread(const struct dest *dest, const struct settings *settings)
{
	return address_is_ipv4(&dest->address) ? &settings->spread_ipv4 : &settings->spread_ipv6;
}

static __always_inline __u32 flow_hash(const struct flow_key *key)
{
	__u32 hash = key->src.word[0] ^ key->src.word[1] ^ key->src.word[2] ^ key->src.word[3];

	hash ^= (__u32)key->sport << 16 | key->dport;
	hash *= 0x9e3779b1; /* Knuth's, then the mixer of MurmurHash3 */
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

struct sum_walk {
	hook_ctx *ctx;
	__u32 at;
	__u32 end;
	__u64 sum;
};

static long sum_some(__u32 index, struct sum_walk *walk)
{
	__u32 words[SUM_BYTES / sizeof(__u32)] = {};
	__u32 left = walk->end - walk->at;

	(void)index;
	if (walk->at >= walk->end)
		return 1;
	if (left > SUM_BYTES)
		left = SUM_BYTES;
	left--;
	barrier_var(left); /* Linux 6.1 forgets the comparison, but not the mask */
	if (hook_load(walk->ctx, walk->at, words, (left & (SUM_BYTES - 1)) + 1))
		return 1;
	for (__u32 i = 0; i < SUM_BYTES / sizeof(__u32); i++)
		walk->sum += words[i];
	walk->at += SUM_BYTES;
	return 0;
}

/* The slow way: over every byte. */
static __noinline __u32 tun_sum_all(hook_ctx *ctx, __u32 from, __u32 end)
{
	struct sum_walk walk = { .ctx = ctx, .at = from, .end = end };

	bpf_loop((end - from) / SUM_BYTES + 1, sum_some, &walk, 0);
	return csum_fold32(walk.sum);
}

/* Does the payload have a checksum over all of itself and its addresses? */
static __always_inline bool tun_knows_sum(hook_ctx *ctx, const struct packet *pkt)
{
	struct udphdr *udp;

	if (pkt->is_error || pkt->is_part || pkt->l4 - pkt->l3 > sizeof(struct ipv6hdr))
		return false;
	if (pkt->family == FAMILY_IPV6 && pkt->l4 - pkt->l3 != sizeof(struct ipv6hdr))
		return false;
	if (pkt->protocol == IPPROTO_TCP)
		return true;
	udp = packet_at(ctx, pkt->l4, sizeof(*udp));
	return pkt->protocol == IPPROTO_UDP && udp && udp->check;
}

/* The ones' complement sum of the whole inner packet; of a right IPv4 header it is zero. */
static __always_inline __u32 tun_sum(hook_ctx *ctx, const struct packet *pkt)
{
	__u16 size = pkt->l3 + pkt->length - pkt->l4;
	__u64 pseudo = bpf_htons(size) + bpf_htons(pkt->protocol);
	__u32 *start = packet_at(ctx, pkt->l3, 2 * sizeof(*start));

	if (!start || !tun_knows_sum(ctx, pkt))
		return tun_sum_all(ctx, pkt->l3, pkt->l3 + pkt->length);
	if (pkt->family == FAMILY_IPV6) /* its addresses are in the header and, complemented, in the pseudo header */
		return csum_fold32((__u64)start[0] + start[1] + (__u32)~csum_fold32(pseudo));
	pseudo += (__u64)pkt->key.src.word[3] + pkt->key.dst.word[3];
	return ~csum_fold32(pseudo);
}

/* Must routers leave the outer packet whole? Where nobody would hear of the path's MTU, no more than the inner one. */
static __always_inline bool tun_is_whole(const struct packet *pkt, const struct settings *settings)
{
	if (!settings->vs.pmtu_disc)
		return false;
	if (pkt->is_handed_over || pkt->is_alone)
		return pkt->family == FAMILY_IPV4 && !pkt->may_be_cut;
	return true;
}

static __always_inline bool tun_read(hook_ctx *ctx, const struct packet *pkt, const struct dest *dest,
				     struct inner *inner)
{
	struct iphdr *ipv4 = packet_at(ctx, pkt->l3, sizeof(*ipv4));
	__u16 *ipv6 = packet_at(ctx, pkt->l3, sizeof(*ipv6));

	if (!ipv4 || !ipv6)
		return false;
	inner->is_ipv6 = pkt->family == FAMILY_IPV6;
	inner->tos = inner->is_ipv6 ? bpf_ntohs(*ipv6) >> 4 : ipv4->tos;
	inner->ttl = pkt->keeps_ttl ? pkt->ttl : pkt->ttl - 1;
	inner->length = pkt->length;
	inner->hash = flow_hash(&pkt->key);
	inner->is_summed = dest->tunnel.check && !hook_segment_size(ctx);
	if (inner->is_summed)
		inner->sum = tun_sum(ctx, pkt);
	if ((inner->tos & ECN_MASK) == ECN_CE)
		inner->tos = (inner->tos & ~ECN_MASK) | ECN_ECT0;
	return true;
}

static __always_inline struct address tun_source(const struct dest *dest, const struct spread *spread, __u32 hash)
{
	struct address source = dest->tunnel.source;

	if (spread->mask) {
		source = spread->prefix;
		source.word[3] |= bpf_htonl(hash & spread->mask);
	}
	return source;
}

static __always_inline __u8 tun_protocol(const struct dest *dest, const struct inner *inner)
{
	if (dest->tunnel.type == TUNNEL_GUE)
		return IPPROTO_UDP;
	if (dest->tunnel.type == TUNNEL_GRE)
		return IPPROTO_GRE;
	return inner->is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

static __always_inline void tun_write_ipv4(hook_ctx *ctx, __u32 at, const struct dest *dest, const struct inner *inner,
					   const struct address *source, __u32 overhead)
{
	struct iphdr ip = {};

	ip.version = 4;
	ip.ihl = sizeof(ip) / 4;
	ip.tos = inner->tos;
	ip.tot_len = bpf_htons(inner->length + overhead);
	ip.id = inner->is_whole ? 0 : bpf_get_prandom_u32();
	ip.frag_off = inner->is_whole ? bpf_htons(IPV4_DONT_FRAGMENT) : 0;
	ip.ttl = inner->ttl;
	ip.protocol = tun_protocol(dest, inner);
	ip.saddr = source->word[3];
	ip.daddr = dest->address.word[3];
	ip.check = ~csum_fold16(csum_words(&ip, sizeof(ip)));
	hook_store(ctx, at, &ip, sizeof(ip));
}

static __always_inline void tun_write_ipv6(hook_ctx *ctx, __u32 at, const struct dest *dest, const struct inner *inner,
					   const struct address *source, __u32 overhead)
{
	struct ipv6hdr ip = {};

	*(__be32 *)&ip = bpf_htonl(6U << 28 | (__u32)inner->tos << 20);
	ip.payload_len = bpf_htons(inner->length + overhead - sizeof(ip));
	ip.nexthdr = tun_protocol(dest, inner);
	ip.hop_limit = inner->ttl;
	__builtin_memcpy(&ip.saddr, source, sizeof(*source));
	__builtin_memcpy(&ip.daddr, &dest->address, sizeof(dest->address));
	hook_store(ctx, at, &ip, sizeof(ip));
}

static __always_inline void tun_write_gue(hook_ctx *ctx, __u32 at, const struct dest *dest, const struct inner *inner,
					  const struct address *source)
{
	struct gue_header gue = {};
	__u64 sum;

	gue.udp.source = bpf_htons(GUE_PORT_FIRST + (inner->hash & GUE_PORT_MASK));
	gue.udp.dest = dest->tunnel.port;
	gue.udp.len = bpf_htons(inner->length + sizeof(gue));
	gue.protocol = inner->is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (inner->is_summed) {
		sum = csum_words(&gue, sizeof(gue)) + gue.udp.len + bpf_htons(IPPROTO_UDP) + inner->sum;
		sum += csum_words(source, sizeof(*source)) + csum_words(&dest->address, sizeof(*source));
		gue.udp.check = ~csum_fold16(sum);
		if (!gue.udp.check)
			gue.udp.check = 0xffff;
	}
	hook_store(ctx, at, &gue, sizeof(gue));
}

static __always_inline void tun_write_gre(hook_ctx *ctx, __u32 at, const struct inner *inner)
{
	struct gre_header gre = { .protocol = bpf_htons(inner->is_ipv6 ? ETH_P_IPV6 : ETH_P_IP) };

	if (!inner->is_summed) {
		hook_store(ctx, at, &gre, sizeof(gre) / 2);
		return;
	}
	gre.flags = bpf_htons(GRE_CHECKSUM);
	gre.check = ~csum_fold16(csum_words(&gre, sizeof(gre)) + inner->sum);
	hook_store(ctx, at, &gre, sizeof(gre));
}

/* Puts the packet into its tunnel; false, with the packet spoilt, where the frame cannot grow. Not static: verified once. */
__noinline int forward_tun(hook_ctx *ctx, struct packet *pkt, const struct dest *dest, const struct settings *settings)
{
	struct inner inner = {};
	struct address source;
	__u32 overhead, at;

	if (!pkt || !dest || !settings)
		return false;
	at = pkt->l3 & MAX_OFFSET;
	forward_route(ctx, pkt);
	if (!tun_read(ctx, pkt, dest, &inner))
		return false;
	inner.is_whole = tun_is_whole(pkt, settings);
	source = tun_source(dest, tun_spread(dest, settings), inner.hash);
	overhead = tun_overhead(dest, inner.is_summed);
	if (!hook_encapsulate(ctx, overhead, address_is_ipv4(&dest->address), tun_protocol(dest, &inner)))
		return false;
	if (address_is_ipv4(&dest->address))
		tun_write_ipv4(ctx, at, dest, &inner, &source, overhead);
	else
		tun_write_ipv6(ctx, at, dest, &inner, &source, overhead);
	at += tun_outer_size(dest);
	if (dest->tunnel.type == TUNNEL_GUE)
		tun_write_gue(ctx, at, dest, &inner, &source);
	if (dest->tunnel.type == TUNNEL_GRE)
		tun_write_gre(ctx, at, &inner);
	return true;
}

#endif
