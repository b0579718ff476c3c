/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The outer packet of a tunnel: from frame to where the inner packet begins.
 *
 *	IP in IP	RFC 2003, 2473, 4213	[IP][IP ...]
 *	GUE		net/ipv4/fou_core.c	[IP][UDP][4 bytes, options][IP ...]
 *	GRE		RFC 2784		[IP][4 bytes, perhaps a checksum][IP ...]
 */
#ifndef BPVS_REALSERVER_OUTER_H
#define BPVS_REALSERVER_OUTER_H

#include "../packet.h"
#include "maps.h"

#define L3 sizeof(struct frame)

#define PULL_FIRST 86    /* Ethernet, IPv6, a few extensions, UDP: enough to see that a packet is nobody's tunnel */
#define PULL_BYTES 256   /* all headers of a tunnel's packet, up to the inner IP header */
#define MAX_EXTENSIONS 3 /* IPv6 extension headers of the outer packet; Linux itself sends one */

#define NEXTHDR_HOP 0
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_DEST 60

#define IPV6_FRAGMENT_OFFSET 0xfff8

#define GUE_FLAG_PRIVATE 0x0001
#define GUE_PRIVATE_REMCSUM 0x80000000 /* the inner checksum is to be filled in here */
#define GRE_FLAG_CHECKSUM 0x8000

struct outer {
	struct address src;
	struct address dst;
	__u32 l4;             /* offset of what follows the outer IP header */
	__u32 end;            /* offset behind the outer packet's last byte */
	__u32 inner;          /* offset of the inner IP header */
	__u32 inner_end;      /* offset behind the inner packet's last byte */
	__u32 remcsum_start;  /* offset of the first byte that the inner checksum covers; 0: nothing to fill in */
	__u32 remcsum_offset; /* offset of the checksum itself */
	__u8 family;
	__u8 inner_family;
	__u8 protocol;
	__u8 ecn;
	bool is_fragment;
	bool is_first; /* the ports of a fragment are there */
};

struct gue_header {
	struct udphdr udp;
	__u8 form;     /* version (2 bits), control (1), length of the options in words (5) */
	__u8 protocol; /* of the inner packet, if it is no control message */
	__be16 flags;
};

struct gue_private {
	__be32 flags;
	__be16 remcsum_start; /* both counted from the inner packet's first byte */
	__be16 remcsum_offset;
};

struct gre_header {
	__be16 flags;
	__be16 protocol;
};

struct ipv6_extension {
	__u8 next;
	__u8 length;   /* in units of 8 bytes, the first not counted; of a fragment header: reserved */
	__be16 offset; /* of a fragment header */
	__u8 rest[4];
};

/* Makes the first bytes of the packet readable. */
static __always_inline void outer_pull(hook_ctx *ctx, __u32 bytes)
{
	__u32 linear = ctx->data_end - ctx->data;

	if (linear < bytes && linear < ctx->len)
		bpf_skb_pull_data(ctx, ctx->len < bytes ? ctx->len : bytes);
}

static __always_inline bool outer_ipv4(hook_ctx *ctx, struct outer *outer)
{
	struct iphdr *ip = packet_at(ctx, L3, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return false;
	outer->family = FAMILY_IPV4;
	outer->src = address_ipv4(ip->saddr);
	outer->dst = address_ipv4(ip->daddr);
	outer->protocol = ip->protocol;
	outer->ecn = ip->tos & 3;
	outer->l4 = L3 + ip->ihl * 4;
	outer->end = L3 + bpf_ntohs(ip->tot_len);
	outer->is_fragment = ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET);
	outer->is_first = !(ip->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET));
	return true;
}

static __always_inline bool outer_extensions(hook_ctx *ctx, struct outer *outer)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		struct ipv6_extension *extension;

		if (outer->protocol != NEXTHDR_HOP && outer->protocol != NEXTHDR_DEST &&
		    outer->protocol != NEXTHDR_FRAGMENT)
			break;
		if (!outer->is_first)
			break;
		extension = packet_at(ctx, outer->l4, sizeof(*extension));
		if (!extension)
			return false;
		if (outer->protocol == NEXTHDR_FRAGMENT) {
			outer->is_fragment = true;
			outer->is_first = !(extension->offset & bpf_htons(IPV6_FRAGMENT_OFFSET));
			outer->l4 += sizeof(*extension);
		} else {
			outer->l4 += (extension->length + 1) * 8;
		}
		outer->protocol = extension->next;
	}
	return true;
}

static __always_inline bool outer_ipv6(hook_ctx *ctx, struct outer *outer)
{
	struct ipv6hdr *ip = packet_at(ctx, L3, sizeof(*ip));

	if (!ip || ip->version != 6)
		return false;
	outer->family = FAMILY_IPV6;
	outer->src = address_ipv6(&ip->saddr);
	outer->dst = address_ipv6(&ip->daddr);
	outer->protocol = ip->nexthdr;
	outer->ecn = ip->flow_lbl[0] >> 4 & 3;
	outer->l4 = L3 + sizeof(*ip);
	outer->end = outer->l4 + bpf_ntohs(ip->payload_len);
	outer->is_first = true;
	return outer_extensions(ctx, outer);
}

/* Does the packet look like a tunnel's? What is UDP to another port, or too short to tell, is nobody's. */
static __always_inline bool outer_is_tunnel(hook_ctx *ctx, const struct outer *outer, __be16 gue_port)
{
	struct udphdr *udp;

	if (outer->protocol == IPPROTO_IPIP || outer->protocol == IPPROTO_IPV6 || outer->protocol == IPPROTO_GRE)
		return true;
	if (outer->protocol != IPPROTO_UDP || !outer->is_first)
		return false;
	udp = packet_at(ctx, outer->l4, sizeof(*udp));
	return udp && udp->dest == gue_port;
}

static __always_inline enum fate inner_family_of(struct outer *outer, __u8 protocol)
{
	if (protocol != IPPROTO_IPIP && protocol != IPPROTO_IPV6)
		return LEFT_UNKNOWN;
	outer->inner_family = protocol == IPPROTO_IPIP ? FAMILY_IPV4 : FAMILY_IPV6;
	return FATE_NONE;
}

/* The option that leaves the inner checksum to the receiver (gue_remcsum() of net/ipv4/fou_core.c). */
static __always_inline enum fate gue_options(hook_ctx *ctx, struct outer *outer, __u32 at, __u32 length)
{
	struct gue_private *private;

	if (length < sizeof(private->flags))
		return LEFT_MALFORMED;
	private = packet_at(ctx, at, sizeof(private->flags));
	if (!private)
		return LEFT_MALFORMED;
	if (private->flags & ~bpf_htonl(GUE_PRIVATE_REMCSUM))
		return LEFT_UNKNOWN;
	if (!private->flags)
		return FATE_NONE;
	private = packet_at(ctx, at, sizeof(*private));
	if (!private || length < sizeof(*private))
		return LEFT_MALFORMED;
	outer->remcsum_start = outer->inner + bpf_ntohs(private->remcsum_start);
	outer->remcsum_offset = outer->inner + bpf_ntohs(private->remcsum_offset);
	if (outer->remcsum_start > outer->remcsum_offset || (outer->remcsum_offset - outer->remcsum_start) & 1)
		return LEFT_MALFORMED;
	return outer->remcsum_offset + sizeof(__sum16) > outer->end ? LEFT_MALFORMED : FATE_NONE;
}

static __always_inline enum fate outer_gue(hook_ctx *ctx, struct outer *outer)
{
	struct gue_header *gue = packet_at(ctx, outer->l4, sizeof(*gue));
	__u32 options, length;

	if (!gue)
		return LEFT_MALFORMED;
	options = (gue->form & 0x1f) * 4;
	length = bpf_ntohs(gue->udp.len);
	if (gue->form & 0xe0 || gue->flags & ~bpf_htons(GUE_FLAG_PRIVATE)) /* another version, or a control message */
		return LEFT_UNKNOWN;
	if (inner_family_of(outer, gue->protocol))
		return LEFT_UNKNOWN;
	if (length < sizeof(*gue) + options || outer->l4 + length > outer->end)
		return LEFT_MALFORMED;
	outer->end = outer->l4 + length;
	outer->inner = outer->l4 + sizeof(*gue) + options;
	return gue->flags ? gue_options(ctx, outer, outer->l4 + sizeof(*gue), options) : FATE_NONE;
}

static __always_inline enum fate outer_gre(hook_ctx *ctx, struct outer *outer)
{
	struct gre_header *gre = packet_at(ctx, outer->l4, sizeof(*gre));

	if (!gre)
		return LEFT_MALFORMED;
	if (gre->flags & ~bpf_htons(GRE_FLAG_CHECKSUM))
		return LEFT_UNKNOWN;
	if (gre->protocol != bpf_htons(ETH_P_IP) && gre->protocol != bpf_htons(ETH_P_IPV6))
		return LEFT_UNKNOWN;
	outer->inner_family = gre->protocol == bpf_htons(ETH_P_IP) ? FAMILY_IPV4 : FAMILY_IPV6;
	outer->inner = outer->l4 + sizeof(*gre) + (gre->flags ? 4 : 0);
	return FATE_NONE;
}

/* Finds the inner packet. */
static __always_inline enum fate outer_open(hook_ctx *ctx, struct outer *outer)
{
	if (outer->end > ctx->len)
		return LEFT_MALFORMED;
	if (outer->protocol == IPPROTO_UDP)
		return outer_gue(ctx, outer);
	if (outer->protocol == IPPROTO_GRE)
		return outer_gre(ctx, outer);
	outer->inner = outer->l4;
	return inner_family_of(outer, outer->protocol);
}

/*
 * Is the outer packet for this host, or one to be forwarded? A host that does not forward keeps every packet that
 * comes to its station, and its FIB is then not asked.
 */
static __always_inline bool outer_is_local(hook_ctx *ctx, const struct outer *outer)
{
	struct bpf_fib_lookup fib = { .family = outer->family, .ifindex = ctx->ifindex };
	long result;

	if (outer->family == FAMILY_IPV4) {
		fib.ipv4_src = outer->src.word[3];
		fib.ipv4_dst = outer->dst.word[3];
	} else {
		__builtin_memcpy(fib.ipv6_src, &outer->src, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, &outer->dst, sizeof(fib.ipv6_dst));
	}
	result = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return result == BPF_FIB_LKUP_RET_NOT_FWDED || result == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline bool outer_is_trusted(const struct outer *outer)
{
	struct prefix source = { .length = 128, .address = outer->src };

	return bpf_map_lookup_elem(&tunnel_from, &source);
}

#endif
