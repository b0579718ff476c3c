/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about the outer packet of a tunnel come to the director, which sent it. The client's packet is quoted
 * inside: it leads to the connection, the client gets an error of its own, and a smaller path MTU is remembered for the
 * server (RFC 2003 section 4, RFC 2473 section 8). TC only.
 */
#ifndef BPVS_TUNNEL_ERROR_H
#define BPVS_TUNNEL_ERROR_H

#include "conn.h"
#include "forward/tun.h"
#include "parse.h"
#include "translate.h"

#define GUE_OPTIONS_MASK 0x1f
#define GRE_CHECKSUM_BIT 0x80

/* What the error says: the verdict that the client is to be answered with, and the MTU where that is the trouble. */
static __always_inline enum verdict tunnel_error_read(hook_ctx *ctx, const struct packet *pkt, __u32 *mtu)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->l4, sizeof(*icmp));

	if (!icmp)
		return PASS_MALFORMED;
	if (icmp->type == (pkt->family == FAMILY_IPV4 ? ICMP_EXPIRED : ICMPV6_EXPIRED))
		return DROP_TTL;
	return icmp_is_too_big(icmp, pkt->family, mtu) ? DROP_TOO_BIG : DROP_NO_ROUTE;
}

/* Where the client's packet begins in the quoted one; 0 if that is no tunnel's. */
static __always_inline __u32 tunnel_error_inner(hook_ctx *ctx, __u32 at, __u8 protocol)
{
	struct gue_header *gue;
	__u8 *gre;

	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return at;
	if (protocol == IPPROTO_UDP) {
		gue = packet_at(ctx, at, sizeof(*gue));
		return gue ? at + sizeof(*gue) + (gue->version & GUE_OPTIONS_MASK) * 4 : 0;
	}
	gre = packet_at(ctx, at, 4);
	return protocol == IPPROTO_GRE && gre ? at + tun_gre_size(gre[0] & GRE_CHECKSUM_BIT) : 0;
}

static __always_inline bool tunnel_error_parse(hook_ctx *ctx, struct packet *pkt, __u32 at)
{
	__u8 *version = packet_at(ctx, at, 1);
	struct ip_info ip = {};

	if (!version)
		return false;
	pkt->family = *version >> 4 == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
	if (parse_ip(ctx, pkt->family, at, &ip) || ip.part.offset || !protocol_has_ports(ip.protocol))
		return false;
	pkt->key.src = ip.src;
	pkt->key.dst = ip.dst;
	pkt->key.protocol = ip.protocol;
	pkt->protocol = ip.protocol;
	pkt->l4 = ip.l4 - at + pkt->l3;
	return parse_ports(ctx, ip.l4, &pkt->key.sport, &pkt->key.dport);
}

/*
 * Takes off what is before the client's packet; in an IPv6 frame the kernel leaves no less than an IPv6 header behind. The
 * kernel has to know of another family, or its neighbour code would take the answer for one of the tunnel's.
 */
static __always_inline bool tunnel_error_uncover(hook_ctx *ctx, const struct packet *pkt, __u32 at, __u8 outside)
{
	__u32 least = at + sizeof(struct ipv6hdr);
	int before = at - pkt->l3;

	if (hook_length(ctx) < least && !hook_resize(ctx, least))
		return false;
	if (pkt->family != outside) {
		if (!hook_change_family(ctx, pkt->family, 0))
			return false;
		before += pkt->family == FAMILY_IPV4 ? -FAMILY_DIFFERENCE : FAMILY_DIFFERENCE;
	}
	return !bpf_skb_adjust_room(ctx, -before, BPF_ADJ_ROOM_MAC, 0);
}

/*
 * Turns the error into the client's packet as far as it was quoted, pkt into what is known of that, and tells the
 * connection; NULL for errors about anything else, which stay untouched. *reason: what to answer the client with.
 */
static __noinline struct conn *tunnel_error_open(hook_ctx *ctx, struct packet *pkt, enum verdict *reason)
{
	enum direction direction = DIR_OUT;
	struct ip_info outer = {};
	struct conn *conn;
	struct dest *dest;
	__u32 at, mtu = 0;
	__u8 outside;

	if (!pkt || !reason || parse_ip(ctx, pkt->family, pkt->inner_l3, &outer))
		return NULL;
	outside = pkt->family;
	at = tunnel_error_inner(ctx, outer.l4, outer.protocol);
	*reason = tunnel_error_read(ctx, pkt, &mtu);
	if (!at || *reason < DROP_NO_SERVER || !tunnel_error_parse(ctx, pkt, at))
		return NULL;
	conn = conn_of_key(&pkt->key, &direction);
	if (!conn || direction != DIR_IN || conn->method != METHOD_TUNNEL || !address_equal(&conn->server, &outer.dst))
		return NULL;
	dest = bpf_map_lookup_elem(&dests, &conn->dest);
	if (!dest)
		return NULL;
	if (*reason == DROP_TOO_BIG) {
		path_mtu_note(dest, mtu);
		pkt->mtu = dest->path_mtu - tun_overhead(dest, dest->tunnel.check);
	}
	if (!tunnel_error_uncover(ctx, pkt, at, outside))
		return NULL;
	pkt->is_error = false;
	pkt->is_quoted = true;
	pkt->direction = DIR_OUT; /* the answer goes to the client */
	return conn;
}

#endif
