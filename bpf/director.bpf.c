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
#include "bpvs/handshake.h"
#include "bpvs/forward/nat.h"
#include "bpvs/forward/route.h"
#include "bpvs/forward/tun.h"
#include "bpvs/icmp.h"
#include "bpvs/translate_icmp.h"
#include "bpvs/answer.h"
#include "bpvs/claim.h"
#ifdef HOOK_TC
#include "bpvs/tunnel_error.h"
#endif
#include "bpvs/stats.h"

/* May this packet put a new connection in the place of one that is over? */
static __always_inline bool replaces(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn)
{
	if (pkt->direction != DIR_IN || pkt->is_error || !conn_is_over(conn))
		return false;
	return packet_opens(pkt) || (conn->state & CONN_SYNPROXY && synproxy_opens(ctx, pkt));
}

/* The packet's connection, old or new; NULL with the verdict for a packet that has none. */
static __always_inline struct conn *connection_of(hook_ctx *ctx, struct packet *pkt, enum verdict *verdict)
{
	struct conn *conn = conn_find(pkt);

	if (conn && replaces(ctx, pkt, conn)) {
		struct flow *flow = bpf_map_lookup_elem(&flows, &pkt->key);

		if (flow)
			conn_end(conn, flow->slot);
		conn = NULL;
	}
	return conn ? conn : conn_new(ctx, pkt, verdict);
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
	if (conn_crosses(conn) && conn->method == METHOD_FULLNAT)
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

/* Tells a server of FullNAT who the client is. Only finished packets can be told: others take a turn round the siding. */
static __always_inline enum verdict announce(hook_ctx *ctx, struct packet *pkt, struct conn *conn,
					     struct settings *settings, int *action)
{
	if (!toa_wanted(pkt, conn, longest(ctx, pkt)))
		return FORWARDED;
	if (pkt->is_finished || !hook_is_unfinished(ctx, pkt))
		return toa_insert(ctx, pkt, conn) ? FORWARDED : DROP_NO_ROOM;
	if (!settings->siding_done)
		return FORWARDED;
	*action = hook_finish(ctx, pkt, settings);
	return HOLD_FINISH;
}

/* Too long for the way out, but allowed to be cut: that is the kernel's work, which gets the packet as it is to leave. */
static __always_inline enum verdict send_in_pieces(hook_ctx *ctx, struct packet *pkt, struct conn *conn,
						   struct dest *dest, struct lane *lane, struct settings *settings,
						   int *action)
{
	if (!pkt->may_be_cut || pkt->is_error || pkt->from_local_client || conn->method == METHOD_ROUTE)
		return DROP_TOO_BIG;
	if (!HOOK_IS_COMPLETE)
		return PASS_TO_TC;
	pkt->is_local = true; /* the kernel lowers its TTL */
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return DROP_NO_ROOM;
	if (conn->method == METHOD_NAT && pkt->direction == DIR_IN) /* its source belongs where it came in */
		*action = hook_action(PASS_IDLE);
	else
		*action = hook_send_local(ctx);
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
		return send_in_pieces(ctx, pkt, conn, dest, lane, settings, action);
	verdict = announce(ctx, pkt, conn, settings, action);
	if (verdict)
		return verdict;
	if (!forward(ctx, pkt, conn, dest, lane, settings))
		return conn_crosses(conn) ? DROP_UNTRANSLATABLE : DROP_NO_ROOM;
	if (pkt->is_opening)
		hook_hold_copy(ctx, settings);
	*action = hop_send(ctx, pkt, hop);
	return FORWARDED;
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
	if (verdict)
		return verdict;
	if (!service_any(pkt, settings))
		return PASS_IDLE;
	conn = connection_of(ctx, pkt, &verdict);
	if (!conn)
		return verdict;
	dest = dest_of(conn);
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
	dest = bpf_map_lookup_elem(&dests, &conn->dest);
	if (dest && answer_write(ctx, pkt, reason) && !hop_ask(ctx, pkt, conn, dest, &conn->back))
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

/* A packet that is not forwarded: counted, and answered where its sender ought to know. */
static __always_inline int refuse(hook_ctx *ctx, struct packet *pkt, struct settings *settings, enum verdict verdict,
				  int action)
{
	bool answer = is_answered(pkt, verdict);

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
		return synproxy_greet(ctx, pkt) ? hook_return(ctx, pkt) : hook_action(DROP_NO_ROOM);
	if (verdict == ANSWER_RESET)
		return answer_allowed() && synproxy_reset(ctx, pkt) ? hook_return(ctx, pkt)
								    : hook_action(DROP_HANDSHAKE);
	return answer && answer_write(ctx, pkt, verdict) ? answer_send(ctx, pkt) : hook_action(verdict);
}

/* A SYN that waited in the siding goes to its server once more when its time has come; until the server has answered. */
static __always_inline int resume_syn(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	struct conn *conn = handshake_of_syn(pkt);
	struct lane *lane;
	struct dest *dest;

	if (!conn)
		return hook_action(DROP_HANDSHAKE);
	dest = dest_of(conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane)
		return hook_action(DROP_SERVER_REMOVED);
	if (!handshake_is_due(conn))
		return hook_hold(ctx, settings);
	count_verdict(HOLD_SYN);
	hook_hold_copy(ctx, settings);
	pkt->direction = DIR_IN;
	pkt->from = LOOPBACK_IFINDEX;
	if (!hop_is_fresh(&lane->hop) && hop_ask(ctx, pkt, conn, dest, &lane->hop))
		return hook_action(DROP_NO_ROUTE);
	return hop_send(ctx, pkt, &lane->hop);
}

/* What waited in the siding. A fragment goes back to where it came in when the first of its datagram has come. */
static __always_inline int resume(hook_ctx *ctx, struct packet *pkt, struct settings *settings)
{
	enum verdict verdict = parse(ctx, pkt);

	if (!pkt->is_fragment)
		return verdict ? hook_action(DROP_HANDSHAKE) : resume_syn(ctx, pkt, settings);
	if (!verdict)
		return hook_readmit(ctx, pkt);
	if (hook_rounds(ctx) < FRAGMENT_ROUNDS)
		return hook_hold(ctx, settings);
	count_verdict(DROP_FRAGMENT);
	return hook_action(DROP_FRAGMENT);
}

static __always_inline int direct(hook_ctx *ctx)
{
	struct settings *settings = settings_get();
	int action = hook_action(DROP_NO_ROUTE);
	struct packet pkt = {};
	enum verdict verdict;

	if (!settings)
		return hook_action(PASS_IDLE);
	pkt.from = hook_from(ctx, settings);
	pkt.is_finished = hook_is_finished(ctx, settings);
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
	dest = dest_of(conn);
	lane = bpf_map_lookup_elem(&traffic, &conn->dest);
	if (!dest || !lane || !(dest->flags & DEST_LOCAL))
		return PASS_IDLE;
	pkt->is_local = true;
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
