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
#include "path_mtu.h"
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
		pkt->mtu += pkt->direction == DIR_IN ? translate_difference(pkt) : -translate_difference(pkt);
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
		if (conn->method == METHOD_FULLNAT && pkt->direction == DIR_OUT)
			path_mtu_learn(ctx, pkt, dest);
		if (conn_crosses(conn))
			return translate_error(ctx, pkt, conn);
		forward_icmp(ctx, pkt, conn);
		return true;
	}
	if (is_tunnelled(pkt, conn) && !(dest->flags & DEST_LOCAL))
		return forward_tun(ctx, pkt, dest, settings);
	forward_route(ctx, pkt);
	return true;
}

static __always_inline bool forward(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				    struct lane *lane, struct settings *settings)
{
	if (conn->state & CONN_TOA && pkt->direction == DIR_OUT)
		toa_hear(ctx, pkt, conn);
	if (dest->flags & DEST_LISTED)
		count_packet(pkt, lane);
	if (!pkt->is_error)
		conn_touch(pkt, conn);
	return rewrite(ctx, pkt, conn, dest, settings);
}

/* Why forward() failed. */
static __always_inline enum verdict not_rewritten(const struct conn *conn)
{
	return conn_crosses(conn) ? DROP_UNTRANSLATABLE : DROP_NO_ROOM;
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
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return not_rewritten(conn);
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

/* How the packet tells the client's address; pkt->mtu is in the client's family. Not static: verified once. */
__noinline int toa_way(const struct packet *pkt, const struct conn *conn, const struct dest *dest, __u32 longest)
{
	__u32 between;
	enum toa_way way;

	if (!pkt || !conn || !dest)
		return TOA_NOT;
	way = toa_room(pkt, conn);
	between = conn_crosses(conn) ? FAMILY_DIFFERENCE : 0;
	if (way == TOA_ADDED && longest + toa_size(conn) > path_mtu(dest, pkt->mtu - between) + between)
		way = TOA_NOT;
	return way;
}

/* Tells a server of FullNAT who the client is. Only finished packets can grow: others take a turn round the siding. */
static __always_inline enum verdict announce(hook_ctx *ctx, struct packet *pkt, struct conn *conn,
					     const struct dest *dest, struct settings *settings, int *action)
{
	enum toa_way way;

	if (!(conn->state & CONN_TOA) || pkt->direction != DIR_IN)
		return FORWARDED;
	way = toa_way(pkt, conn, dest, longest(ctx, pkt));
	if (way == TOA_ADDED && !pkt->is_finished && hook_is_unfinished(ctx, pkt)) {
		if (can_go_round(settings)) {
			*action = hook_finish(ctx, pkt, settings);
			return HOLD_FINISH;
		}
		way = TOA_NOT;
	}
	toa_purge(ctx, pkt);
	if (way == TOA_IN_PLACE)
		toa_replace(ctx, pkt, conn);
	return way != TOA_ADDED || toa_insert(ctx, pkt, conn) ? FORWARDED : DROP_NO_ROOM;
}

/* Makes a packet that does not fit one piece of itself that does; the others come back. */
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
	if (conn->state & CONN_TOA && pkt->direction == DIR_IN)
		toa_purge(ctx, pkt);
	pkt->keeps_ttl = true; /* the kernel lowers its TTL */
	pkt->is_handed_over = true;
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return DROP_NO_ROOM;
	if (conn->method == METHOD_NAT && pkt->direction == DIR_IN) /* its source belongs where it came in */
		*action = hook_action(PASS_IDLE);
	else
		*action = hook_send_local(ctx);
	return FORWARDED;
}

/*
 * Is it for us to cut? The kernel would take a virtual address, which is on one end of what is not translated, for its own;
 * and what is to become IPv6 is not cut on its way.
 */
static __always_inline bool takes_pieces(const struct packet *pkt, const struct conn *conn,
					 const struct settings *settings)
{
	return (!conn_is_translated(conn) || conn_crosses(conn)) && piece_can(pkt) && can_go_round(settings) &&
	       !pkt->is_alone;
}

/* Too long for the way out: may it be cut? */
static __always_inline bool may_be_cut(const struct packet *pkt, const struct conn *conn,
				       const struct settings *settings)
{
	if (!pkt->may_be_cut || pkt->is_error || pkt->from_local_client)
		return false;
	if (conn->method == METHOD_ROUTE || conn_crosses(conn))
		return takes_pieces(pkt, conn, settings);
	return conn->method != METHOD_BYPASS;
}

/*
 * A merged packet that its tunnel cannot take whole comes apart round the siding: one whose segments may have any size;
 * by GRE with checksum, which every segment must have, or the kernel's device refuses it; and datagrams by GUE, which the
 * agent at its end cannot tell from the tunnel's own.
 */
static __always_inline bool comes_apart(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn,
					const struct dest *dest, const struct settings *settings)
{
	__u32 segment = hook_segment_size(ctx);

	if (!segment || !is_tunnelled(pkt, conn) || !can_go_round(settings))
		return false;
	if (dest->tunnel.type == TUNNEL_GRE && dest->tunnel.check)
		return true;
	return segment == SEGMENTS_VARY || (dest->tunnel.type == TUNNEL_GUE && pkt->protocol == IPPROTO_UDP);
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
	if (comes_apart(ctx, pkt, conn, dest, settings) || sheds_route(pkt, conn, settings)) {
		*action = hook_finish(ctx, pkt, settings);
		return HOLD_FINISH;
	}
	if (!fits(ctx, pkt, conn, dest, hop)) {
		if (!may_be_cut(pkt, conn, settings))
			return DROP_TOO_BIG;
		if (!HOOK_IS_COMPLETE)
			return PASS_TO_TC;
		if (conn_crosses(conn) && !pkt->is_part)
			pkt->mtu -= FRAGMENT_HEADER;
		if (!takes_pieces(pkt, conn, settings))
			return hand_over(ctx, pkt, conn, dest, lane, settings, action);
		verdict = take_piece(ctx, pkt, settings, action);
		if (verdict)
			return verdict;
	}
	verdict = announce(ctx, pkt, conn, dest, settings, action);
	if (verdict)
		return verdict;
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return not_rewritten(conn);
	if (pkt->is_opening)
		hook_hold_copy(ctx, pkt, settings);
	*action = hop_send(ctx, pkt, hop);
	return FORWARDED;
}

#endif
