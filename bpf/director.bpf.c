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
#include "bpvs/nexthop.h"
#include "bpvs/schedule.h"
#include "bpvs/forward/nat.h"
#include "bpvs/icmp.h"
#include "bpvs/answer.h"
#include "bpvs/stats.h"

/* The packet's connection, old or new; NULL with the verdict for a packet that has none. */
static __always_inline struct conn *connection_of(struct packet *pkt, enum verdict *verdict)
{
	struct conn *conn = conn_find(pkt);

	if (conn && pkt->direction == DIR_IN && !pkt->is_error && packet_opens(pkt) && conn_is_over(conn)) {
		struct flow *flow = bpf_map_lookup_elem(&flows, &pkt->key);

		if (flow)
			conn_end(conn, flow->slot);
		conn = NULL;
	}
	return conn ? conn : conn_new(pkt, verdict);
}

/* Connections of a server that was removed go on counting down, but forward nothing (IPVS: expire_nodest_conn 0). */
static __always_inline bool server_is_listed(const struct conn *conn)
{
	struct dest *dest = bpf_map_lookup_elem(&dests, &conn->dest);

	return dest && dest->flags & DEST_LISTED;
}

static __always_inline bool ends_here(const struct packet *pkt, const struct conn *conn)
{
	return pkt->direction == DIR_OUT && conn->state & CONN_LOCAL_CLIENT;
}

/* The remembered hop for the packet's direction. */
static __always_inline struct hop *hop_of(const struct packet *pkt, struct conn *conn, struct lane *lane)
{
	return pkt->direction == DIR_IN ? &lane->hop : &conn->back;
}

static __always_inline enum verdict hop_find(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct hop *hop,
					     struct neighbour *neighbour)
{
	if (hop_is_fresh(hop))
		return FORWARDED;
	if (pkt->direction == DIR_IN)
		return hop_refresh(ctx, pkt, &conn->client, &conn->server, hop, neighbour);
	return hop_refresh(ctx, pkt, &conn->virtual, &conn->client, hop, neighbour);
}

static __always_inline bool fits(hook_ctx *ctx, struct packet *pkt, const struct hop *hop)
{
	pkt->mtu = hop->mtu;
	return !hop->ifindex || pkt->length <= hop->mtu || hook_is_segmented_later(ctx);
}

static __always_inline void forward(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct lane *lane)
{
	count_packet(pkt, lane);
	if (pkt->is_error) {
		forward_icmp(ctx, pkt, conn);
		return;
	}
	conn_touch(pkt, conn);
	forward_nat(ctx, pkt, conn);
}

/* Forwards the packet and sets the hook's action, or tells why not. */
static __always_inline enum verdict balance(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					    int *action)
{
	struct neighbour neighbour = {};
	enum verdict verdict;
	struct conn *conn;
	struct lane *lane;
	struct hop *hop;

	verdict = parse(ctx, pkt);
	if (verdict)
		return verdict;
	if (!service_any(pkt, settings))
		return PASS_IDLE;
	conn = connection_of(pkt, &verdict);
	if (!conn)
		return verdict;
	if (!server_is_listed(conn))
		return DROP_SERVER_REMOVED;
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!lane)
		return DROP_SERVER_REMOVED;
	pkt->ends_here = ends_here(pkt, conn);
	if (pkt->ends_here) {
		if (!HOOK_IS_COMPLETE)
			return PASS_TO_TC;
		forward(ctx, pkt, conn, lane);
		*action = hook_send_local(ctx);
		return FORWARDED;
	}
	if (pkt->ttl <= 1)
		return DROP_TTL;
	hop = hop_of(pkt, conn, lane);
	verdict = hop_find(ctx, pkt, conn, hop, &neighbour);
	if (verdict)
		return verdict;
	if (!fits(ctx, pkt, hop))
		return DROP_TOO_BIG;
	forward(ctx, pkt, conn, lane);
	if (hop->ifindex)
		*action = hook_send(ctx, hop);
	if (neighbour.ifindex)
		*action = hook_send_neighbour(ctx, neighbour.ifindex, &neighbour.via);
	return FORWARDED;
}

static __always_inline enum verdict admit(hook_ctx *ctx, const struct settings *settings)
{
	if (!settings || !(settings->services_ipv4 | settings->services_ipv6))
		return PASS_IDLE;
	return hook_admit(ctx);
}

/* A packet that is not forwarded: counted, and answered where its sender ought to know. */
static __always_inline int refuse(hook_ctx *ctx, struct packet *pkt, enum verdict verdict)
{
	bool answer = is_answered(pkt, verdict);

	if (answer && !HOOK_IS_COMPLETE) {
		verdict = PASS_TO_TC;
		answer = false;
	}
	count_verdict(verdict);
	return answer && answer_write(ctx, pkt, verdict) ? answer_send(ctx, pkt) : hook_action(verdict);
}

static __always_inline int direct(hook_ctx *ctx)
{
	struct settings *settings = settings_get();
	struct packet pkt = { .from_local_client = hook_from_local_client(ctx) };
	enum verdict verdict;
	int action = hook_action(DROP_NO_ROUTE);

	verdict = admit(ctx, settings);
	if (!verdict) {
		hook_pull(ctx);
		verdict = balance(ctx, &pkt, settings, &action);
	}
	return verdict ? refuse(ctx, &pkt, verdict) : action;
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
#endif

char LICENSE[] SEC("license") = "GPL";
