/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connection that a packet of a client finds: does it go on with the packet, or make room for a new one? (IPVS:
 * ip_vs_in_hook, is_new_conn_expected)
 *
 *	server removed			SYN, INIT	conn_reuse_mode or expire_nodest_conn
 *					any other	expire_nodest_conn; else it is dropped further on
 *	server's weight 0		SYN, INIT	expire_nodest_conn
 *	TIME_WAIT, CLOSE, SCTP CLOSED	SYN, INIT	conn_reuse_mode, unless a template sent it to its server
 *	FIN_WAIT, no reply ever seen	SYN		the same with bit 2
 *
 * Of SYNPROXY a connection that is over always makes room, also to the ACK that brings a cookie: its numbers are others.
 */
#ifndef BPVS_REUSE_H
#define BPVS_REUSE_H

#include "conn.h"
#include "synproxy.h"

#define REUSE_FIN_WAIT 2 /* in conn_reuse_mode */

/* Does the packet ask for a connection? Whether it may have one is looked at later. */
static __always_inline bool packet_asks(const struct packet *pkt)
{
	if (pkt->protocol == IPPROTO_SCTP)
		return pkt->sctp_event == CHUNK_INIT && !pkt->is_fragment;
	return pkt->protocol == IPPROTO_TCP && pkt->tcp_flags & TCP_SYN && !pkt->is_fragment;
}

static __always_inline bool conn_is_over(const struct conn *conn, const struct vs *vs)
{
	__u8 state = conn->state & CONN_STATE;

	if (state == STATE_FIN_WAIT)
		return vs->conn_reuse_mode & REUSE_FIN_WAIT && !(conn->state & CONN_TWO_WAY);
	return state == STATE_TIME_WAIT || state == STATE_CLOSE || state == STATE_SCTP_CLOSED;
}

/*
 * Without a server, or on the way to that? Who asks for a connection is not sent to a removed server: IPVS drops it until
 * the old connection expires, a minute or more of silence for clients whose ports come round.
 */
static __always_inline bool conn_is_forsaken(const struct packet *pkt, const struct conn *conn, const struct vs *vs)
{
	bool asks = packet_asks(pkt);
	struct dest *dest;

	if (!vs->expire_nodest_conn && !(asks && vs->conn_reuse_mode))
		return false;
	dest = conn_dest(conn);
	return !dest || conn_is_left(conn, dest) || (vs->expire_nodest_conn && asks && dest->flags & DEST_QUIET);
}

static __always_inline bool conn_makes_room(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn,
					    const struct vs *vs)
{
	if (pkt->direction != DIR_IN || pkt->is_error)
		return false;
	if (conn_is_forsaken(pkt, conn, vs))
		return true;
	if (!conn_is_over(conn, vs))
		return false;
	if (conn->state & CONN_SYNPROXY)
		return packet_asks(pkt) || synproxy_opens(ctx, pkt);
	return vs->conn_reuse_mode && !conn->control && packet_asks(pkt);
}

#endif
