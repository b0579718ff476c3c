/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections: a row of `conns` found by its keys in `flows`, one for each direction that is translated. Of a DR or TUN
 * server the replies are not expected here; those that pass are found by the in-key turned round.
 *
 * The in-key, inserted with NOEXIST, decides between two CPUs that see the same first packet. A row is freed by whoever
 * takes CONN_USED away first; its stamp then rises, so that a key read just before leads nowhere.
 */
#ifndef BPVS_CONN_H
#define BPVS_CONN_H

#include "clock.h"
#include "defence.h"
#include "load.h"
#include "maps.h"
#include "packet.h"
#include "ports.h"
#include "sctp_state.h"
#include "slot.h"
#include "tcp_state.h"
#include "template.h"

#define SEEN_GRAIN 61 /* units of clock_ms(): conn.seen is written no more often, since CPUs share the line */

static __always_inline void key_in(const struct conn *conn, __u32 state, struct flow_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = conn->client;
	key->dst = conn->virtual;
	key->sport = conn->client_port;
	key->dport = conn->virtual_port;
	key->protocol = conn->protocol;
	if (!(state & CONN_TEMPLATE))
		return;
	key->is_template = 1;
	key->dst.word[0] ^= conn->delta;
	key->dst.word[1] ^= conn->shift;
}

static __always_inline void key_out(const struct conn *conn, struct flow_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = conn->server;
	key->dst = conn->local;
	key->sport = conn->server_port;
	key->dport = conn->local_port;
	key->protocol = conn->protocol;
}

/* Addresses and ports are rewritten, and so the replies' have to be. */
static __always_inline bool conn_is_translated(const struct conn *conn)
{
	return conn->method == METHOD_NAT || conn->method == METHOD_FULLNAT;
}

static __always_inline struct conn *conn_of_key(const struct flow_key *key, enum direction *direction)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, key);
	struct conn *conn;
	__u32 stamp;

	if (!flow)
		return NULL;
	stamp = flow->stamp;
	conn = bpf_map_lookup_elem(&conns, &flow->slot);
	if (!conn || conn->stamp != stamp >> 1 || !(conn->state & CONN_USED))
		return NULL;
	*direction = stamp & 1;
	return conn;
}

/* The connection that pkt belongs to, or NULL; tells the direction. */
static __always_inline struct conn *conn_find(struct packet *pkt)
{
	enum direction direction = DIR_IN;
	struct conn *conn = conn_of_key(&pkt->key, &direction);

	pkt->direction = direction;
	return conn;
}

static __always_inline struct dest *conn_dest(const struct conn *conn)
{
	__u32 row = conn->dest; /* on the stack: Linux 6.1 takes no key from an argument of a global function */

	return bpf_map_lookup_elem(&dests, &row);
}

static __always_inline void uncount(const struct conn *conn, __u32 state)
{
	struct dest *dest = conn_dest(conn);

	if (dest)
		load_leave(dest, state);
}

/* What a connection has beside its in-key: the reply key, a port, a place in its template's count. */
static __always_inline void conn_release(struct conn *conn, __u32 slot, struct flow_key *key)
{
	struct flow *flow;

	if (conn_is_translated(conn)) {
		key_out(conn, key);
		flow = bpf_map_lookup_elem(&flows, key);
		if (flow && flow->slot == slot) /* a newer connection may have taken the reply key over */
			bpf_map_delete_elem(&flows, key);
	}
	if (conn->method == METHOD_FULLNAT)
		port_return(&conn->local, &conn->server, conn->protocol, conn->local_port);
	template_leave(conn->control);
}

/* Takes the connection or template out of the table; once, whoever else tries. */
static __noinline int conn_end(struct conn *conn, __u32 slot)
{
	struct flow_key key;
	__u32 state;

	if (!conn)
		return 0;
	state = conn->state;
	if (!(state & CONN_USED) || __sync_val_compare_and_swap(&conn->state, state, 0) != state)
		return 0;
	key_in(conn, state, &key);
	if (!(state & CONN_VOID))
		bpf_map_delete_elem(&flows, &key);
	if (!(state & CONN_TEMPLATE))
		conn_release(conn, slot, &key);
	else if (conn->delta | conn->shift)
		bpf_map_delete_elem(&call_ids, &slot);
	uncount(conn, state);
	slot_free(conn, slot);
	return 0;
}

/* Nearly every packet changes nothing: ACK alone and SCTP's data on an established connection, a datagram but the first. */
static __always_inline bool conn_goes_on(const struct packet *pkt, __u32 old)
{
	if (pkt->direction == DIR_OUT && (old & (CONN_TWO_WAY | CONN_UNSURE)) != CONN_TWO_WAY)
		return false;
	if ((old & CONN_STATE) == STATE_UDP)
		return true;
	if ((old & CONN_STATE) == STATE_SCTP_ESTABLISHED)
		return pkt->sctp_event == CHUNK_DATA;
	return pkt->protocol == IPPROTO_TCP && (old & CONN_STATE) == STATE_ESTABLISHED &&
	       (pkt->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

static __always_inline enum view conn_view(const struct packet *pkt, __u32 state)
{
	if (pkt->direction == DIR_OUT)
		return VIEW_OUT;
	return state & CONN_TWO_WAY ? VIEW_IN : VIEW_IN_ONLY;
}

/* Which of TCP's tables holds; see secure_tcp. */
static __always_inline __u32 conn_caution(void)
{
	struct settings *settings = settings_get();

	return settings && defence_is_up(settings->vs.secure_tcp) ? VIEW_SECURE : 0;
}

static __always_inline bool state_is_established(__u8 state)
{
	return state == STATE_ESTABLISHED || state == STATE_SCTP_ESTABLISHED;
}

/* Of TCP ESTABLISHED, SYN_SENT, SYN_RECV and SYNACK count as active connections, of SCTP ESTABLISHED, of UDP none. */
static __always_inline bool state_is_active(__u8 state)
{
	return state_is_established(state) || state == STATE_SYN_SENT || state == STATE_SYN_RECV ||
	       state == STATE_SYNACK;
}

/* conn.state after a packet in the given direction, connection counts not yet changed. */
static __always_inline __u32 conn_next_state(const struct packet *pkt, const struct conn *conn, __u32 old)
{
	__u8 state = STATE_UDP;

	if (pkt->direction == DIR_OUT)
		old |= CONN_TWO_WAY;
	else if (pkt->tcp_flags & TCP_SYN && conn->method == METHOD_FULLNAT)
		old |= CONN_TOA; /* what goes on here begins anew at the server */
	if (pkt->protocol == IPPROTO_TCP)
		state = tcp_next_state(conn_view(pkt, old) + conn_caution(), pkt->tcp_flags, old & CONN_STATE);
	if (pkt->protocol == IPPROTO_SCTP)
		state = sctp_next_state(conn_view(pkt, old), pkt->sctp_event, old & CONN_STATE);
	if (state == STATE_UDP ? pkt->direction == DIR_OUT : state_is_established(state))
		old &= ~CONN_UNSURE;
	old &= ~(CONN_STATE | CONN_ACTIVE | CONN_INACTIVE);
	return old | state | (state_is_active(state) ? CONN_ACTIVE : CONN_INACTIVE);
}

static __always_inline void conn_recount(const struct conn *conn, __u32 old, __u32 new)
{
	struct dest *dest;

	if (!((old ^ new) & CONN_ACTIVE))
		return;
	dest = conn_dest(conn);
	if (dest)
		load_move(dest, new);
}

/* The state machine, for a packet that may change something. Not static: verified once. */
__noinline int conn_advance(const struct packet *pkt, struct conn *conn)
{
	__u32 old, new;

	if (!pkt || !conn)
		return 0;
	old = conn->state;
	new = conn_next_state(pkt, conn, old);
	if (new == old || !(old & CONN_USED) || __sync_val_compare_and_swap(&conn->state, old, new) != old)
		return 0;
	conn_recount(conn, old, new);
	if (old & ~new & CONN_UNSURE)
		template_assure(conn->control);
	conn->seen = clock_ms(clock_ns());
	return 0;
}

/* State machine and timer. The packet of an ICMP error changes neither, a later fragment not the state. */
static __always_inline void conn_touch(const struct packet *pkt, struct conn *conn)
{
	__u32 now = clock_ms(clock_ns());

	if (!pkt->is_fragment && !conn_goes_on(pkt, conn->state))
		conn_advance(pkt, conn);
	if ((__s32)(now - conn->seen) > SEEN_GRAIN)
		conn->seen = now;
}

/*
 * The connection's server. Connections of one that was removed go on counting down and take no more of their clients'
 * packets (expire_nodest_conn 0); what the server still sends, and ICMP errors, they let pass.
 */
static __always_inline struct dest *dest_of(const struct packet *pkt, const struct conn *conn)
{
	struct dest *dest = conn_dest(conn);

	if (!dest || dest->flags & DEST_LISTED || pkt->direction == DIR_OUT || pkt->is_error)
		return dest;
	return conn->method == METHOD_BYPASS ? dest : NULL;
}

/* Has the connection lost its server? */
static __always_inline bool conn_is_left(const struct conn *conn, const struct dest *dest)
{
	return conn->method != METHOD_BYPASS && !(dest->flags & DEST_LISTED);
}

#endif
