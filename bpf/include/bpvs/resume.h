/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes back from the siding after it has waited there: SYNs to servers that have not answered, early fragments,
 * cookies whose clients were not heard of, refusals.
 */
#ifndef BPVS_RESUME_H
#define BPVS_RESUME_H

#include "forward/route.h"
#include "fragment.h"
#include "handshake.h"
#include "parse.h"
#include "stats.h"

/*
 * A SYN that waited in the siding goes to its server once more when its time has come, until the server has answered. If it
 * will not any more, or was removed, the client is told: it is connected, and would wait for ever.
 */
static __always_inline int resume_syn(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	struct conn *conn = handshake_of_syn(pkt);
	struct lane *lane;
	struct dest *dest;
	bool is_listed;

	if (!conn)
		return hook_action(DROP_HANDSHAKE);
	dest = conn_dest(conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane)
		return hook_action(DROP_SERVER_REMOVED);
	is_listed = dest->flags & DEST_LISTED;
	if (is_listed && !handshake_is_due(conn))
		return hook_hold(ctx, settings);
	pkt->from = LOOPBACK_IFINDEX;
	if (!is_listed || handshake_is_hopeless(conn)) {
		count_verdict(is_listed ? DROP_HANDSHAKE : DROP_SERVER_REMOVED);
		hook_set_mark(ctx, 0);
		pkt->direction = DIR_OUT;
		return handshake_refuse(ctx, pkt, conn, dest);
	}
	count_verdict(HOLD_SYN);
	hook_hold_copy(ctx, pkt, settings);
	pkt->direction = DIR_IN;
	if (!hop_is_fresh(&lane->hop) && hop_ask(ctx, pkt, conn, dest, &lane->hop))
		return hook_action(DROP_NO_ROUTE);
	return hop_send(ctx, pkt, &lane->hop);
}

/* A refusal goes to its client once more. */
static __always_inline int resume_refusal(hook_ctx *ctx, struct packet *pkt, struct conn *conn)
{
	struct dest *dest = conn_dest(conn);

	hook_set_mark(ctx, 0);
	if (!dest || (conn->state & CONN_STATE) != STATE_CLOSE)
		return hook_action(DROP_HANDSHAKE);
	pkt->from = LOOPBACK_IFINDEX;
	return handshake_send(ctx, pkt, conn, dest);
}

/* A cookie goes to its client up to GREETING_TRIES times more, if that was not heard of. Its TTL tells how often it did. */
static __always_inline int resume_cookie(hook_ctx *ctx, struct packet *pkt, const struct settings *settings)
{
	forward_route(ctx, pkt);
	if (pkt->ttl > SEGMENT_TTL + 1 - GREETING_TRIES)
		hook_hold_copy(ctx, pkt, settings);
	hook_set_mark(ctx, 0);
	return hook_return(ctx, pkt);
}

/* What the director told a client: a cookie, which brings a connection about, or that there is none. */
static __always_inline int resume_answer(hook_ctx *ctx, struct packet *pkt, const struct settings *settings)
{
	bool is_refusal = pkt->tcp_flags & TCP_RST;
	enum direction direction = DIR_OUT;
	struct flow_key key = {};
	struct conn *conn;

	flow_key_turn(&pkt->key, &key);
	conn = conn_of_key(&key, &direction);
	if (!conn == is_refusal)
		return hook_action(DROP_HANDSHAKE);
	if (hook_waited(ctx) < GREETING_AGAIN)
		return hook_hold(ctx, settings);
	count_verdict(HOLD_COOKIE);
	return conn ? resume_refusal(ctx, pkt, conn) : resume_cookie(ctx, pkt, settings);
}

/* What waited in the siding. A fragment goes back to where it came in when the first of its datagram has come. */
static __always_inline int resume(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	enum verdict verdict = parse(ctx, pkt);

	if (!pkt->is_fragment) {
		if (verdict)
			return hook_action(DROP_HANDSHAKE);
		return pkt->tcp_flags & TCP_ACK ? resume_answer(ctx, pkt, settings) : resume_syn(ctx, pkt, settings);
	}
	if (verdict != HOLD_FRAGMENT)
		return hook_readmit(ctx, pkt);
	if (hook_waited(ctx) < FRAGMENT_WAIT)
		return hook_hold(ctx, settings);
	count_verdict(DROP_FRAGMENT);
	return hook_action(DROP_FRAGMENT);
}

#endif
