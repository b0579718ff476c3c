/* SPDX-License-Identifier: GPL-2.0-only */
/* A new connection: it begins in a row of its own with all its ends, then it is entered, from where on others find it. */
#ifndef BPVS_BEGIN_H
#define BPVS_BEGIN_H

#include "conn.h"
#include "csum.h"
#include "ops.h"
#include "stats.h"
#include "synproxy.h"
#include "template.h"

#define LOCAL_ATTEMPTS 16 /* local addresses without a free port that are passed over */

/* Where a new connection is to go. */
struct choice {
	__u32 dest;    /* row of `dests`, 0: see bypass.h */
	__u32 control; /* as in struct conn */
	__be16 port;
	__u16 pad;
};

static __always_inline void conn_fill(struct conn *conn, const struct packet *pkt, const struct choice *choice,
				      const struct dest *dest)
{
	conn->client = pkt->key.src;
	conn->virtual = pkt->key.dst;
	conn->local = pkt->key.src;
	conn->server = dest->address;
	conn->client_port = pkt->key.sport;
	conn->virtual_port = pkt->key.dport;
	conn->local_port = pkt->key.sport;
	conn->server_port = choice->port;
	conn->protocol = pkt->key.protocol;
	conn->method = dest->method;
	conn->dest = choice->dest;
	conn->seen = clock_ms(clock_ns());
	conn->control = choice->control;
	conn->shift = 0;
	conn->scale = 0;
	conn->client_scale = 0;
	conn->back.ifindex = 0;
	if (!choice->dest) {
		conn->server = mark_address(pkt->family, 0); /* nobody */
		conn->method = METHOD_BYPASS;
	}
}

/*
 * For FullNAT: one of the plan's local addresses in the server's family, and a port of it; in turn, or the next that has
 * one. Each server has a turn of its own: a common one would keep step with the scheduler's, and give each server but some
 * of the addresses. They begin at different ones.
 */
static __noinline enum verdict conn_localise(struct conn *conn, struct plan *plan, struct dest *dest)
{
	struct book_key key = {};
	__u32 first, count, turn;

	if (!conn || !plan || !dest)
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
	turn = conn->dest + __sync_fetch_and_add(&dest->local_turn, 1);
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
	if (conn_is_translated(conn) || conn->method == METHOD_BYPASS)
		state |= CONN_TWO_WAY;
	if (conn->method == METHOD_FULLNAT && conn->protocol == IPPROTO_TCP)
		state |= CONN_TOA;
	if (conn->control)
		state |= CONN_UNSURE;
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
	template_leave(conn->control);
	conn->state = 0;
	if (conn->method == METHOD_FULLNAT && conn->local_port)
		port_return(&conn->local, &conn->server, conn->protocol, conn->local_port);
	slot_free(conn, slot);
}

/* A row with the ends of a connection as chosen; it counts as free still. Or NULL with the verdict. */
static __noinline struct conn *conn_begin(const struct packet *pkt, const struct choice *choice, struct plan *plan,
					  __u32 *slot, enum verdict *verdict)
{
	struct conn *conn = NULL;
	struct dest *dest;

	if (!pkt || !choice || !slot || !verdict)
		return NULL;
	*verdict = DROP_TABLE_FULL;
	dest = bpf_map_lookup_elem(&dests, &choice->dest);
	if (dest)
		conn = pkt->is_alone ? ops_row(slot) : slot_take(slot);
	if (!conn) {
		template_leave(choice->control);
		return NULL;
	}
	conn_fill(conn, pkt, choice, dest);
	if (conn->method == METHOD_FULLNAT) {
		*verdict = conn_localise(conn, plan, dest);
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

#endif
