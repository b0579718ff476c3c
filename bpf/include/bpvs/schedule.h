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

#define TURN_ATTEMPTS 8 /* CPUs in each other's way more often than that share a turn */

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
	conn->server = server->address;
	conn->client_port = pkt->key.sport;
	conn->virtual_port = pkt->key.dport;
	conn->server_port = server->port ? server->port : pkt->key.dport;
	conn->protocol = pkt->key.protocol;
	conn->method = server->method;
	conn->dest = server->dest;
	conn->seen = clock_ns();
	conn->delta = csum_delta_address(&conn->virtual, &conn->server);
	conn->back.ifindex = 0;
}

/*
 * Enters a connection to the server, and returns it; or the one that another CPU entered first; or NULL when the table is
 * full. Two services that map one client port to the same server port share the reply key: the newer connection wins it,
 * as in IPVS. The row counts as free until it is filled in.
 */
static __noinline struct conn *conn_enter(struct packet *pkt, const struct server *server)
{
	struct flow flow = {};
	struct flow_key key;
	struct conn *conn;
	__u32 slot = 0;

	if (!pkt || !server)
		return NULL;
	conn = slot_take(&slot);
	if (!conn)
		return NULL;
	conn_fill(conn, pkt, server);
	conn->state = CONN_USED | STATE_NEW | (pkt->from_local_client ? CONN_LOCAL_CLIENT : 0);
	flow.slot = slot;
	flow.stamp = conn->stamp << 1 | DIR_IN;
	if (bpf_map_update_elem(&flows, &pkt->key, &flow, BPF_NOEXIST)) {
		conn->state = 0;
		slot_free(conn, slot);
		return conn_find(pkt);
	}
	flow.stamp = conn->stamp << 1 | DIR_OUT;
	key_out(conn, &key);
	if (bpf_map_update_elem(&flows, &key, &flow, BPF_ANY)) {
		conn_end(conn, slot);
		return NULL;
	}
	pkt->direction = DIR_IN;
	count_connection(conn->dest);
	return conn;
}

/* A packet that no connection claims: its new connection, or NULL with the verdict. */
static __always_inline struct conn *conn_new(struct packet *pkt, enum verdict *verdict)
{
	struct service *service = service_find(pkt);
	struct server *server;

	*verdict = PASS_NO_SERVICE;
	if (!service || pkt->is_error)
		return NULL;
	*verdict = PASS_NO_CONNECTION;
	if (!packet_opens(pkt))
		return NULL;
	*verdict = PASS_MARTIAN;
	if (!address_is_host(&pkt->key.src))
		return NULL;
	*verdict = DROP_NO_SERVER;
	server = schedule(service_plan(service));
	if (!server)
		return NULL;
	*verdict = DROP_TABLE_FULL;
	return conn_enter(pkt, server);
}

#endif
