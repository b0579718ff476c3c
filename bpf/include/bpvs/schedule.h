/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From service to connection: pick a real server, enter the connection.
 *
 * Schedulers share one signature: (plan, turn) gives the row of the server and the turn after it. They hold no lock:
 * whoever moves plan.turn from the value it saw has made the choice, the others try again.
 */
#ifndef BPVS_SCHEDULE_H
#define BPVS_SCHEDULE_H

#include "conn.h"
#include "csum.h"
#include "sched/rr.h"
#include "sched/wrr.h"
#include "service.h"
#include "stats.h"
#include "synproxy.h"

#define TURN_ATTEMPTS 8   /* CPUs in each other's way more often than that share a turn */
#define LOCAL_ATTEMPTS 16 /* local addresses without a free port that are passed over */

/* Not static: the verifier then looks at the schedulers once, not once an attempt. */
__noinline __u32 schedule_once(const struct plan *plan, __u64 turn, __u64 *next)
{
	if (!plan || !next)
		return NO_SERVER;
	switch (plan->scheduler) {
	case SCHED_RR:
		return sched_rr(plan, turn, next);
	case SCHED_WRR:
		return sched_wrr(plan, turn, next);
	default:
		return NO_SERVER;
	}
}

static __noinline struct server *schedule(struct plan *plan)
{
	__u32 row = NO_SERVER;

	if (!plan)
		return NULL;
	for (int i = 0; i < TURN_ATTEMPTS; i++) {
		__u64 turn = plan->turn, next = 0;

		row = schedule_once(plan, turn, &next);
		if (row == NO_SERVER || __sync_val_compare_and_swap(&plan->turn, turn, next) == turn)
			break;
	}
	if (row == NO_SERVER)
		return NULL;
	row += plan->first;
	return bpf_map_lookup_elem(&servers, &row);
}

/* A free row, or NULL when the table is full. */
static __always_inline struct conn *slot_take(__u32 *slot)
{
	struct runtime *runtime;

	if (bpf_map_pop_elem(&free_slots, slot)) {
		runtime = runtime_get();
		if (!runtime || !bpf_map_lookup_elem(&conns, &runtime->conn_high))
			return NULL;
		*slot = __sync_fetch_and_add(&runtime->conn_high, 1);
	}
	return bpf_map_lookup_elem(&conns, slot);
}

static __always_inline void conn_fill(struct conn *conn, const struct packet *pkt, const struct server *server)
{
	conn->client = pkt->key.src;
	conn->virtual = pkt->key.dst;
	conn->local = pkt->key.src;
	conn->server = server->address;
	conn->client_port = pkt->key.sport;
	conn->virtual_port = pkt->key.dport;
	conn->local_port = pkt->key.sport;
	conn->server_port = server->port ? server->port : pkt->key.dport;
	conn->protocol = pkt->key.protocol;
	conn->method = server->method;
	conn->dest = server->dest;
	conn->seen = clock_ms(clock_ns());
	conn->control = 0;
	conn->shift = 0;
	conn->scale = 0;
	conn->client_scale = 0;
	conn->back.ifindex = 0;
}

/* For FullNAT: one of the plan's local addresses in the server's family, and a port of it; in turn, or the next that has one. */
static __noinline enum verdict conn_localise(struct conn *conn, struct plan *plan)
{
	struct book_key key = {};
	__u32 first, count, turn;

	if (!conn || !plan)
		return DROP_NO_LOCAL_ADDRESS;
	first = plan->local_first;
	count = plan->local_ipv4;
	if (!address_is_ipv4(&conn->server)) {
		first += count;
		count = plan->local_ipv6;
	}
	if (!count)
		return DROP_NO_LOCAL_ADDRESS;
	key.server = conn->server;
	key.protocol = conn->protocol;
	turn = __sync_fetch_and_add(&plan->local_turn, 1);
	for (__u32 i = 0; i < LOCAL_ATTEMPTS && i < count; i++) {
		__u32 row = first + (turn + i) % count;
		struct address *local = bpf_map_lookup_elem(&locals, &row);

		if (!local)
			break;
		key.local = *local;
		conn->local_port = port_take(bpf_map_lookup_elem(&books, &key));
		if (conn->local_port) {
			conn->local = key.local;
			return FORWARDED;
		}
	}
	return DROP_NO_PORT;
}

static __always_inline __u32 conn_first_state(const struct packet *pkt, const struct conn *conn)
{
	__u32 state = CONN_USED | CONN_INACTIVE | STATE_NEW;

	if (pkt->from_local_client)
		state |= CONN_LOCAL_CLIENT;
	if (conn_is_translated(conn))
		state |= CONN_TWO_WAY;
	if (conn->method == METHOD_FULLNAT && conn->protocol == IPPROTO_TCP)
		state |= CONN_TOA;
	return state;
}

/*
 * Enters the reply key. Two services of NAT that map one client port to the same server port share it: the newer
 * connection wins it, as in IPVS. With FullNAT that cannot happen, unless a book was removed with a port taken.
 */
static __always_inline int conn_expect_replies(const struct conn *conn, __u32 slot)
{
	struct flow flow = { .slot = slot, .stamp = conn->stamp << 1 | DIR_OUT };
	struct flow_key key;

	if (!conn_is_translated(conn))
		return 0;
	key_out(conn, &key);
	return bpf_map_update_elem(&flows, &key, &flow, conn->method == METHOD_FULLNAT ? BPF_NOEXIST : BPF_ANY);
}

static __always_inline void conn_abandon(struct conn *conn, __u32 slot)
{
	uncount(conn, conn->state);
	conn->state = 0;
	if (conn->method == METHOD_FULLNAT && conn->local_port)
		port_return(&conn->local, &conn->server, conn->protocol, conn->local_port);
	slot_free(conn, slot);
}

/* A row with the ends of a connection to the server; it counts as free still. Or NULL with the verdict. */
static __noinline struct conn *conn_begin(const struct packet *pkt, const struct server *server, struct plan *plan,
					  __u32 *slot, enum verdict *verdict)
{
	struct conn *conn;

	if (!pkt || !server || !slot || !verdict)
		return NULL;
	*verdict = DROP_TABLE_FULL;
	conn = slot_take(slot);
	if (!conn)
		return NULL;
	conn_fill(conn, pkt, server);
	if (conn->method == METHOD_FULLNAT) {
		*verdict = conn_localise(conn, plan);
		if (*verdict) {
			conn->local_port = 0;
			conn_abandon(conn, *slot);
			return NULL;
		}
	}
	conn->delta = csum_fold32((__u64)csum_delta_address(&conn->virtual, &conn->server) +
				  csum_delta_address(&conn->client, &conn->local));
	return conn;
}

/* Enters a connection that has begun, and returns it; or the one that another CPU entered first; or NULL. */
static __noinline struct conn *conn_enter(struct packet *pkt, struct conn *conn, __u32 slot,
					  const struct handshake *handshake)
{
	struct flow flow = {};
	struct dest *dest;

	if (!pkt || !conn)
		return NULL;
	conn->state = conn_first_state(pkt, conn);
	dest = conn_dest(conn);
	if (dest)
		load_join(dest);
	if (handshake)
		synproxy_begin(conn, handshake);
	flow.slot = slot;
	flow.stamp = conn->stamp << 1 | DIR_IN;
	if (bpf_map_update_elem(&flows, &pkt->key, &flow, BPF_NOEXIST)) {
		conn_abandon(conn, slot);
		return conn_find(pkt);
	}
	if (conn_expect_replies(conn, slot)) {
		conn_end(conn, slot);
		return NULL;
	}
	pkt->direction = DIR_IN;
	count_connection(conn->dest);
	return conn;
}

/* The connection that pkt is an untranslated reply of, or NULL. */
static __noinline struct conn *conn_find_reply(struct packet *pkt)
{
	enum direction direction = DIR_OUT;
	struct flow_key key = {};
	struct conn *conn;

	if (!pkt)
		return NULL;
	flow_key_turn(&pkt->key, &key);
	conn = conn_of_key(&key, &direction);
	if (!conn || direction != DIR_IN || conn_is_translated(conn))
		return NULL;
	pkt->direction = DIR_OUT;
	return conn;
}

/* A packet that no connection claims: its new connection, or NULL with the verdict. */
static __always_inline struct conn *conn_new(hook_ctx *ctx, struct packet *pkt, const struct settings *settings,
					     enum verdict *verdict)
{
	struct service *service = service_find(pkt, hook_mark(ctx), settings);
	struct handshake handshake = {};
	struct server *server;
	struct conn *conn;
	struct plan *plan;
	__u32 slot = 0;

	*verdict = PASS_NO_SERVICE;
	if (!service)
		return conn_find_reply(pkt);
	if (pkt->is_error)
		return NULL;
	plan = service_plan(service);
	if (synproxy_guards(pkt, plan)) {
		*verdict = synproxy_admit(ctx, pkt, &handshake, plan);
		if (*verdict)
			return NULL;
	}
	*verdict = PASS_NO_CONNECTION;
	if (!packet_opens(pkt))
		return NULL;
	*verdict = PASS_MARTIAN;
	if (!address_is_host(&pkt->key.src))
		return NULL;
	*verdict = DROP_NO_SERVER;
	server = schedule(plan);
	if (!server)
		return NULL;
	conn = conn_begin(pkt, server, plan, &slot, verdict);
	if (!conn)
		return NULL;
	*verdict = DROP_TABLE_FULL;
	return conn_enter(pkt, conn, slot, pkt->is_opening ? &handshake : NULL);
}

#endif
