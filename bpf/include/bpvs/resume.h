/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes back from the siding after it has waited there: SYNs to servers that have not answered, early fragments,
 * cookies whose clients were not heard of.
 */
#ifndef BPVS_RESUME_H
#define BPVS_RESUME_H

#include "fragment.h"
#include "handshake.h"
#include "parse.h"
#include "stats.h"

/* A SYN that waited in the siding goes to its server once more when its time has come; until the server has answered. */
static __always_inline int resume_syn(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	struct conn *conn = handshake_of_syn(pkt);
	struct lane *lane;
	struct dest *dest;

	if (!conn)
		return hook_action(DROP_HANDSHAKE);
	dest = dest_of(pkt, conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane)
		return hook_action(DROP_SERVER_REMOVED);
	if (!handshake_is_due(conn))
		return hook_hold(ctx, settings);
	count_verdict(HOLD_SYN);
	hook_hold_copy(ctx, pkt, settings);
	pkt->direction = DIR_IN;
	pkt->from = LOOPBACK_IFINDEX;
	if (!hop_is_fresh(&lane->hop) && hop_ask(ctx, pkt, conn, dest, &lane->hop))
		return hook_action(DROP_NO_ROUTE);
	return hop_send(ctx, pkt, &lane->hop);
}

/* A cookie goes to its client once more, if that was not heard of. */
static __always_inline int resume_cookie(hook_ctx *ctx, struct packet *pkt, const struct settings *settings)
{
	enum direction direction = DIR_OUT;
	struct flow_key key = {};

	flow_key_turn(&pkt->key, &key);
	if (conn_of_key(&key, &direction))
		return hook_action(DROP_HANDSHAKE);
	if (hook_waited(ctx) < GREETING_AGAIN)
		return hook_hold(ctx, settings);
	count_verdict(HOLD_COOKIE);
	hook_set_mark(ctx, 0);
	return hook_return(ctx, pkt);
}

/* What waited in the siding. A fragment goes back to where it came in when the first of its datagram has come. */
static __always_inline int resume(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	enum verdict verdict = parse(ctx, pkt);

	if (!pkt->is_fragment) {
		if (verdict)
			return hook_action(DROP_HANDSHAKE);
		return pkt->tcp_flags & TCP_ACK ? resume_cookie(ctx, pkt, settings) : resume_syn(ctx, pkt, settings);
	}
	if (!verdict)
		return hook_readmit(ctx, pkt);
	if (hook_waited(ctx) < FRAGMENT_WAIT)
		return hook_hold(ctx, settings);
	count_verdict(DROP_FRAGMENT);
	return hook_action(DROP_FRAGMENT);
}

#endif
