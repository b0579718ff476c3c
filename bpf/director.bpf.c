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
#include "bpvs/forward/route.h"
#include "bpvs/forward/tun.h"
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

/*
 * The connection's server. Connections of one that was removed go on counting down, but forward nothing (IPVS:
 * expire_nodest_conn 0).
 */
static __always_inline struct dest *dest_of(const struct conn *conn)
{
	struct dest *dest = bpf_map_lookup_elem(&dests, &conn->dest);

	return dest && dest->flags & DEST_LISTED ? dest : NULL;
}

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

static __noinline enum verdict hop_ask(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				       struct hop *hop)
{
	struct way out = { &conn->virtual, &conn->client, ctx->ingress_ifindex };
	struct way in = { &conn->local, &conn->server, ctx->ingress_ifindex };

	if (conn->method == METHOD_TUNNEL)
		in.src = &dest->tunnel.source;
	if (conn->method != METHOD_NAT) /* IPVS too sends these whether the host forwards or not */
		in.from = LOOPBACK_IFINDEX;
	if (conn->method == METHOD_FULLNAT) /* the server's reply was addressed to the director itself */
		out.from = LOOPBACK_IFINDEX;
	return hop_refresh(ctx, pkt, pkt->direction == DIR_IN ? &in : &out, hop);
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
	if (is_tunnelled(pkt, conn))
		pkt->mtu = tun_room(dest, hop->mtu);
	return !hop->ifindex || longest(ctx, pkt) <= pkt->mtu;
}

/* Makes the packet what the next station expects; false where that fails. */
static __always_inline bool rewrite(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				    struct settings *settings)
{
	if (conn_is_translated(conn)) {
		if (pkt->is_error)
			forward_icmp(ctx, pkt, conn);
		else
			forward_nat(ctx, pkt, conn);
		return true;
	}
	if (is_tunnelled(pkt, conn) && !pkt->is_local)
		return forward_tun(ctx, pkt, dest, tun_spread(dest, settings));
	forward_route(ctx, pkt);
	return true;
}

static __always_inline bool forward(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				    struct lane *lane, struct settings *settings)
{
	count_packet(pkt, lane);
	if (!pkt->is_error)
		conn_touch(pkt, conn);
	return rewrite(ctx, pkt, conn, dest, settings);
}

/* To a socket of the director. */
static __always_inline enum verdict deliver(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					    struct lane *lane, struct settings *settings, int *action)
{
	if (!HOOK_IS_COMPLETE)
		return PASS_TO_TC;
	if (pkt->direction == DIR_OUT && dest->flags & DEST_LOCAL)
		return PASS_LOCAL_REPLY;
	pkt->is_local = true;
	forward(ctx, pkt, conn, dest, lane, settings);
	*action = pkt->direction == DIR_OUT && conn_is_translated(conn) ? hook_send_local(ctx) : hook_action(PASS_IDLE);
	return FORWARDED;
}

/* To another host. */
static __always_inline enum verdict send(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					 struct lane *lane, struct settings *settings, int *action)
{
	struct hop *hop = hop_of(pkt, conn, lane);
	enum verdict verdict;

	if (pkt->ttl <= 1)
		return DROP_TTL;
	verdict = hop_is_fresh(hop) ? FORWARDED : hop_ask(ctx, pkt, conn, dest, hop);
	if (verdict)
		return verdict;
	if (!fits(ctx, pkt, conn, dest, hop))
		return DROP_TOO_BIG;
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return DROP_NO_ROOM;
	if (hop->ifindex)
		*action = hook_send(ctx, hop);
	if (pkt->neighbour.ifindex)
		*action = hook_send_neighbour(ctx, pkt->neighbour.ifindex, &pkt->neighbour.via);
	return FORWARDED;
}

/* Forwards the packet and sets the hook's action, or tells why not. */
static __always_inline enum verdict balance(hook_ctx *ctx, struct packet *pkt, struct settings *settings, int *action)
{
	enum verdict verdict;
	struct conn *conn;
	struct dest *dest;
	struct lane *lane;

	verdict = parse(ctx, pkt);
	if (verdict)
		return verdict;
	if (!service_any(pkt, settings))
		return PASS_IDLE;
	conn = connection_of(pkt, &verdict);
	if (!conn)
		return verdict;
	dest = dest_of(conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane)
		return DROP_SERVER_REMOVED;
	if (ends_here(pkt, conn, dest))
		return deliver(ctx, pkt, conn, dest, lane, settings, action);
	return send(ctx, pkt, conn, dest, lane, settings, action);
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
