/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last steps of a packet that has a connection: counted, rewritten by its server's method, and sent to the next hop, or
 * delivered to a socket of the director.
 */
#ifndef BPVS_LEAVE_H
#define BPVS_LEAVE_H

#include "conn.h"
#include "forward/nat.h"
#include "forward/route.h"
#include "forward/tun.h"
#include "icmp.h"
#include "nexthop.h"
#include "pieces.h"
#include "stats.h"
#include "translate_icmp.h"

/* Is it for a socket of the director: a client that asked, or a real server there? */
static __always_inline bool ends_here(const struct packet *pkt, const struct conn *conn, const struct dest *dest)
{
	if (dest->flags & DEST_LOCAL)
		return true;
	return pkt->direction == DIR_OUT && conn->state & CONN_LOCAL_CLIENT;
}

static __always_inline bool is_tunnelled(const struct packet *pkt, const struct conn *conn)
{
	return pkt->direction == DIR_IN && conn->method == METHOD_TUNNEL;
}

/* The remembered hop for the packet's direction. */
static __always_inline struct hop *hop_of(const struct packet *pkt, struct conn *conn, struct lane *lane)
{
	return pkt->direction == DIR_IN ? &lane->hop : &conn->back;
}

/* Bytes of the largest IP packet that this one leaves as. */
static __always_inline __u32 longest(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 segment = hook_segment_size(ctx);

	return segment ? pkt->payload - pkt->l3 + segment : pkt->length;
}

static __always_inline bool fits(hook_ctx *ctx, struct packet *pkt, const struct conn *conn, const struct dest *dest,
				 const struct hop *hop)
{
	pkt->mtu = hop->mtu;
	if (conn_crosses(conn))
		pkt->mtu += pkt->direction == DIR_IN ? FAMILY_DIFFERENCE : -FAMILY_DIFFERENCE;
	if (is_tunnelled(pkt, conn))
		pkt->mtu = tun_room(dest, hop->mtu);
	if (hook_segment_size(ctx) == SEGMENTS_VARY)
		return !hop->ifindex || hook_segments_fit(ctx, hop->ifindex);
	return !hop->ifindex || longest(ctx, pkt) <= pkt->mtu;
}

/* Makes the packet what the next station expects; false where that fails. */
static __always_inline bool rewrite(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				    struct settings *settings)
{
	if (conn_is_translated(conn)) {
		if (!pkt->is_error)
			return forward_nat(ctx, pkt, conn);
		if (conn_crosses(conn))
			return translate_error(ctx, pkt, conn);
		forward_icmp(ctx, pkt, conn);
		return true;
	}
	if (is_tunnelled(pkt, conn) && !(dest->flags & DEST_LOCAL))
		return forward_tun(ctx, pkt, dest, tun_spread(dest, settings));
	forward_route(ctx, pkt);
	return true;
}

static __always_inline bool forward(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				    struct lane *lane, struct settings *settings)
{
	if (dest->flags & DEST_LISTED)
		count_packet(pkt, lane);
	if (!pkt->is_error)
		conn_touch(pkt, conn);
	return rewrite(ctx, pkt, conn, dest, settings);
}

/*
 * Would the kernel take the packet for a forgery: a reply past the translation, which comes from a virtual address that the
 * director has, too? An ICMP error does so if the server sent it, not if a router did.
 */
static __always_inline bool is_from_virtual(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn)
{
	struct address source;
	struct ipv6hdr *ipv6;
	struct iphdr *ipv4;

	if (!pkt->is_error)
		return true;
	if (pkt->family == FAMILY_IPV4) {
		ipv4 = packet_at(ctx, pkt->l3, sizeof(*ipv4));
		return ipv4 && ipv4->saddr == conn->virtual.word[3];
	}
	ipv6 = packet_at(ctx, pkt->l3, sizeof(*ipv6));
	if (!ipv6)
		return false;
	source = address_ipv6(&ipv6->saddr);
	return address_equal(&source, &conn->virtual);
}

/* To a socket of the director. */
static __always_inline enum verdict deliver(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					    struct lane *lane, struct settings *settings, int *action)
{
	if (!HOOK_IS_COMPLETE)
		return PASS_TO_TC;
	if (pkt->direction == DIR_OUT && (dest->flags & DEST_LOCAL || pkt->from_local_client))
		return PASS_LOCAL_REPLY;
	pkt->keeps_ttl = true;
	forward(ctx, pkt, conn, dest, lane, settings);
	*action = hook_action(PASS_IDLE);
	if (pkt->direction == DIR_OUT && (conn_is_translated(conn) || is_from_virtual(ctx, pkt, conn)))
		*action = hook_send_local(ctx);
	return FORWARDED;
}

/* Is there a siding to go round? Without its queue a packet would not be known again when it comes back. */
static __always_inline bool can_go_round(const struct settings *settings)
{
	return settings->siding_done && settings->siding_wait;
}

/* Tells a server of FullNAT who the client is. Only finished packets can be told: others take a turn round the siding. */
static __always_inline enum verdict announce(hook_ctx *ctx, struct packet *pkt, struct conn *conn,
					     struct settings *settings, int *action)
{
	if (!toa_wanted(pkt, conn, longest(ctx, pkt)))
		return FORWARDED;
	if (pkt->is_finished || !hook_is_unfinished(ctx, pkt))
		return toa_insert(ctx, pkt, conn) ? FORWARDED : DROP_NO_ROOM;
	if (!can_go_round(settings))
		return FORWARDED;
	*action = hook_finish(ctx, pkt, settings);
	return HOLD_FINISH;
}

/* Makes a packet that does not fit its tunnel one piece of itself that does; the others come back. */
static __always_inline enum verdict take_piece(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					       int *action)
{
	if (!pkt->is_finished) {
		*action = hook_finish(ctx, pkt, settings);
		return HOLD_FINISH;
	}
	if (pkt->is_rest && !piece_drop(ctx, pkt))
		return DROP_NO_ROOM;
	if (pkt->length <= pkt->mtu)
		return FORWARDED;
	if (!piece_allow(ctx, pkt))
		return DROP_NO_ROOM;
	hook_send_rest(ctx, pkt, settings);
	return piece_keep(ctx, pkt) ? FORWARDED : DROP_NO_ROOM;
}

/* Leaves the cutting to the kernel, which gets the packet as it is to leave. */
static __always_inline enum verdict hand_over(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					      struct lane *lane, struct settings *settings, int *action)
{
	pkt->keeps_ttl = true; /* the kernel lowers its TTL */
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return DROP_NO_ROOM;
	if (conn->method == METHOD_NAT && pkt->direction == DIR_IN) /* its source belongs where it came in */
		*action = hook_action(PASS_IDLE);
	else
		*action = hook_send_local(ctx);
	return FORWARDED;
}

/* Too long for the way out: may it be cut? What becomes IPv6 may not: only its sender could have. */
static __always_inline bool may_be_cut(const struct packet *pkt, const struct conn *conn)
{
	return pkt->may_be_cut && !pkt->is_error && !pkt->from_local_client && conn->method != METHOD_ROUTE &&
	       conn->method != METHOD_BYPASS && !conn_crosses(conn);
}

/* Tunnels take no packet whose segments may have any size; round the siding it comes apart. */
static __always_inline bool comes_apart(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn,
					const struct settings *settings)
{
	return hook_segment_size(ctx) == SEGMENTS_VARY && is_tunnelled(pkt, conn) && can_go_round(settings);
}

/*
 * A local client's packet by direct routing, whose station has yet to be asked for: the kernel would wait for it by the
 * route of the virtual address, which leads to `lo`. Round the siding that route comes off.
 */
static __always_inline bool sheds_route(const struct packet *pkt, const struct conn *conn,
					const struct settings *settings)
{
	return pkt->from_local_client && pkt->neighbour.ifindex && conn->method == METHOD_ROUTE &&
	       can_go_round(settings);
}

/* To another host. */
static __always_inline enum verdict send(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					 struct lane *lane, struct settings *settings, int *action)
{
	struct hop *hop = hop_of(pkt, conn, lane);
	enum verdict verdict;

	if (pkt->ttl <= 1 && !pkt->keeps_ttl)
		return DROP_TTL;
	verdict = hop_is_fresh(hop) ? FORWARDED : hop_ask(ctx, pkt, conn, dest, hop);
	if (verdict)
		return verdict;
	if (is_tunnelled(pkt, conn) && pkt->family == FAMILY_IPV4 && !settings->vs.pmtu_disc)
		pkt->may_be_cut = true;
	if (comes_apart(ctx, pkt, conn, settings) || sheds_route(pkt, conn, settings)) {
		*action = hook_finish(ctx, pkt, settings);
		return HOLD_FINISH;
	}
	if (!fits(ctx, pkt, conn, dest, hop)) {
		if (!may_be_cut(pkt, conn))
			return DROP_TOO_BIG;
		if (!HOOK_IS_COMPLETE)
			return PASS_TO_TC;
		if (!is_tunnelled(pkt, conn) || !piece_can(pkt) || !can_go_round(settings) || pkt->is_alone)
			return hand_over(ctx, pkt, conn, dest, lane, settings, action);
		verdict = take_piece(ctx, pkt, settings, action);
		if (verdict)
			return verdict;
	}
	verdict = announce(ctx, pkt, conn, settings, action);
	if (verdict)
		return verdict;
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return conn_crosses(conn) ? DROP_UNTRANSLATABLE : DROP_NO_ROOM;
	if (pkt->is_opening)
		hook_hold_copy(ctx, pkt, settings);
	*action = hop_send(ctx, pkt, hop);
	return FORWARDED;
}

#endif
