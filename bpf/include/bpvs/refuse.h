/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of a packet that is not forwarded: passed on, dropped, held, or answered where its sender ought to know. */
#ifndef BPVS_REFUSE_H
#define BPVS_REFUSE_H

#include "answer.h"
#include "claim.h"
#include "nexthop.h"
#include "stats.h"
#include "synproxy.h"
#ifdef HOOK_TC
#include "tunnel_error.h"
#endif

/* An ICMP error about a tunnel: the client gets one in its place. */
static __always_inline bool tell_of_tunnel(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					   int *action)
{
#ifdef HOOK_TC
	enum verdict reason = PASS_NOT_TRANSPORT;
	struct conn *conn;
	struct dest *dest;

	if (!settings->tunnels || !pkt->is_error)
		return false;
	conn = tunnel_error_open(ctx, pkt, &reason);
	if (!conn)
		return false;
	*action = hook_action(DROP_NO_ROUTE);
	pkt->from = LOOPBACK_IFINDEX; /* the answer is the director's own, which needs no forwarding */
	dest = bpf_map_lookup_elem(&dests, &conn->dest);
	if (!dest || !answer_write(ctx, pkt, reason))
		return true;
	if (conn->state & CONN_LOCAL_CLIENT)
		*action = hook_send_local(ctx);
	else if (!hop_ask(ctx, pkt, conn, dest, &conn->back))
		*action = hop_send(ctx, pkt, &conn->back);
	return true;
#else
	(void)ctx, (void)pkt, (void)settings, (void)action;
	return false;
#endif
}

/* What else the director answers, instead of passing it on. */
static __always_inline enum verdict reconsider(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					       enum verdict verdict, int *action)
{
	if (!HOOK_IS_COMPLETE || verdict >= DROP_NO_SERVER)
		return verdict;
	if (settings->foreigners)
		verdict = claim(ctx, pkt, verdict);
	if (verdict == ANSWER_ECHO || verdict == ANSWER_NEIGHBOUR)
		*action = verdict == ANSWER_ECHO ? hook_return(ctx, pkt) : (int)bpf_redirect(pkt->from, 0);
	else if ((verdict == PASS_NOT_TRANSPORT || verdict == PASS_NO_SERVICE) &&
		 tell_of_tunnel(ctx, pkt, settings, action))
		verdict = ANSWER_TUNNEL;
	return verdict;
}

/* Answers with a cookie, and keeps a copy for a while if SYNs are few. */
static __always_inline int greet(hook_ctx *ctx, struct packet *pkt, const struct settings *settings)
{
	bool is_kept = greeting_take() && !pkt->is_detoured; /* a copy would not find the way back */

	if (!synproxy_greet(ctx, pkt))
		return hook_action(DROP_NO_ROOM);
	if (is_kept)
		hook_hold_copy(ctx, pkt, settings);
	return hook_return(ctx, pkt);
}

/* IPVS sends from the packet's destination, so for marked packets to elsewhere it can tell nobody (ip_vs_leave). */
static __always_inline bool is_silent(hook_ctx *ctx, const struct packet *pkt, enum verdict verdict)
{
	return HOOK_IS_COMPLETE && verdict == DROP_NO_SERVER && pkt->by_mark && !is_for_director(ctx, pkt);
}

/* A packet that is not forwarded: counted, and answered where its sender ought to know. */
static __always_inline int refuse(hook_ctx *ctx, struct packet *pkt, struct settings *settings, enum verdict verdict,
				  int action)
{
	bool answer = !pkt->is_opening && is_answered(pkt, verdict) && !is_silent(ctx, pkt, verdict);

	if (answer && !HOOK_IS_COMPLETE) {
		verdict = PASS_TO_TC;
		answer = false;
	}
	verdict = reconsider(ctx, pkt, settings, verdict, &action);
	count_verdict(verdict);
	if (verdict == HOLD_FRAGMENT) {
		hook_set_from(ctx, pkt);
		return hook_hold(ctx, settings);
	}
	if (verdict >= ANSWER_SERVER)
		return action;
	if (verdict == ANSWER_COOKIE)
		return greet(ctx, pkt, settings);
	if (verdict == ANSWER_RESET || pkt->is_opening) /* who is connected already takes no ICMP error for an answer */
		return answer_allowed() && synproxy_reset(ctx, pkt) ? hook_return(ctx, pkt)
								    : hook_action(DROP_HANDSHAKE);
	return answer && answer_write(ctx, pkt, verdict) ? answer_send(ctx, pkt) : hook_action(verdict);
}

#endif
