/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The director: what happens to a packet. Compiled twice, for XDP (-DHOOK_XDP) and for TC ingress (-DHOOK_TC).
 *
 *	parse -> connection? -> service -> schedule -> next hop -> count -> forward
 *
 * Nothing in the packet changes before its next hop is known, so that XDP can leave it to TC up to the last step.
 */
#ifdef HOOK_XDP
#include "bpvs/hook_xdp.h"
#else
#include "bpvs/hook_tc.h"
#endif
#include "bpvs/parse.h"
#include "bpvs/conn.h"
#include "bpvs/reuse.h"
#include "bpvs/probe.h"
#include "bpvs/schedule.h"
#include "bpvs/handshake.h"
#include "bpvs/leave.h"
#include "bpvs/refuse.h"
#include "bpvs/resume.h"

/* The packet's connection, old or new; NULL with the verdict for a packet that has none. */
static __always_inline struct conn *connection_of(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
						  enum verdict *verdict)
{
	struct conn *conn = conn_find(pkt);

	if (conn && (conn_makes_room(ctx, pkt, conn, &settings->vs) || probe_strays(ctx, pkt, conn, settings))) {
		struct flow *flow = bpf_map_lookup_elem(&flows, &pkt->key);

		if (flow)
			conn_end(conn, flow->slot);
		conn = NULL;
	}
	*verdict = DROP_STRAY;
	if (!conn && is_stray(pkt, &settings->vs))
		return NULL;
	return conn ? conn : conn_new(ctx, pkt, settings, verdict);
}

/* Forwards the packet and sets the hook's action, or tells why not. */
static __always_inline enum verdict balance(hook_ctx *ctx, struct packet *pkt, struct settings *settings, int *action)
{
	enum verdict verdict;
	struct conn *conn;
	struct dest *dest;
	struct lane *lane;
	bool is_done = false;

	verdict = parse(ctx, pkt);
	if (verdict && verdict != HOLD_FRAGMENT)
		return verdict;
	if (!service_any(pkt, settings))
		return PASS_IDLE;
	if (verdict)
		return settings->siding_wait ? verdict : PASS_FRAGMENT;
	conn = connection_of(ctx, pkt, settings, &verdict);
	if (!conn)
		return verdict;
	dest = dest_of(pkt, conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane)
		return DROP_SERVER_REMOVED;
	if (nat_breaks(pkt, conn))
		return DROP_FRAGMENT;
	if (conn->state & CONN_SYNPROXY) {
		verdict = handshake_step(ctx, pkt, conn, dest, lane, action, &is_done);
		if (verdict || is_done)
			return verdict;
	}
	if (ends_here(pkt, conn, dest))
		return deliver(ctx, pkt, conn, dest, lane, settings, action);
	return send(ctx, pkt, conn, dest, lane, settings, action);
}

static __always_inline enum verdict admit(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	if (!(settings->services_ipv4 | settings->services_ipv6))
		return PASS_IDLE;
	return pkt->is_finished ? FORWARDED : hook_admit(ctx);
}

static __always_inline int direct(hook_ctx *ctx)
{
	struct settings *settings = settings_get();
	int action = hook_action(DROP_NO_ROUTE);
	struct packet pkt = {};
	enum verdict verdict;

	if (!settings)
		return hook_action(PASS_IDLE);
	pkt.is_rest = hook_is_rest(ctx, settings);
	pkt.from = hook_from(ctx, settings);
	pkt.is_finished = hook_is_finished(ctx, settings);
	pkt.is_detoured = hook_is_detoured(ctx, settings);
	pkt.keeps_ttl = pkt.is_detoured;
	pkt.from_local_client = !pkt.is_finished && pkt.from == LOOPBACK_IFINDEX;
	if (hook_has_waited(ctx, settings)) {
		hook_pull(ctx);
		return resume(ctx, &pkt, settings);
	}
	verdict = admit(ctx, &pkt, settings);
	if (!verdict) {
		hook_pull(ctx);
		verdict = balance(ctx, &pkt, settings, &action);
	}
	return verdict ? refuse(ctx, &pkt, settings, verdict, action) : action;
}

#ifdef HOOK_XDP
SEC("xdp")
int director_xdp(struct xdp_md *ctx)
{
	return direct(ctx);
}
#else
SEC("tc")
int director_tc(struct __sk_buff *ctx)
{
	return direct(ctx);
}

/* At the egress of the detour, out of which the kernel sends what has the mark of a service. */
SEC("tc")
int director_detour(struct __sk_buff *ctx)
{
	hook_note_from(ctx);
	return TC_ACT_UNSPEC;
}

/* What a real server on the director replies: it leaves as the virtual service. */
static __always_inline enum verdict depart(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	struct conn *conn;
	struct dest *dest;
	struct lane *lane;

	if (parse(ctx, pkt))
		return PASS_IDLE;
	conn = conn_find(pkt);
	if (!conn)
		conn = conn_find_reply(pkt);
	if (!conn || pkt->direction != DIR_OUT)
		return PASS_IDLE;
	dest = dest_of(pkt, conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane || !(dest->flags & DEST_LOCAL))
		return PASS_IDLE;
	pkt->keeps_ttl = true;
	forward(ctx, pkt, conn, dest, lane, settings);
	return FORWARDED;
}

SEC("tc")
int director_egress(struct __sk_buff *ctx)
{
	struct settings *settings = settings_get();
	struct packet pkt = {};

	if (settings && settings->local_servers) {
		hook_pull(ctx);
		depart(ctx, &pkt, settings);
	}
	return TC_ACT_UNSPEC;
}
#endif

char LICENSE[] SEC("license") = "GPL";
