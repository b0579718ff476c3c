/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One-packet scheduling: each datagram goes where the scheduler, or the client's template, says, and no connection is
 * kept. The steps behind want one all the same: each CPU has a row of `conns` for that, which is never in use (CONN_USED)
 * and has no keys. Replies find nothing and leave as they came.
 *
 * TC only: XDP may leave a packet to TC at every step, and then it would be scheduled twice.
 */
#ifndef BPVS_OPS_H
#define BPVS_OPS_H

#include "conn.h"
#include "fragment.h"
#include "slot.h"
#include "stats.h"
#include "template.h"

/* The row of `conns` that is this CPU's, + 1; 0: none yet. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} own_rows SEC(".maps");

static __always_inline bool ops_takes(const struct packet *pkt, const struct plan *plan)
{
	return plan->flags & PLAN_OPS && pkt->protocol == IPPROTO_UDP;
}

/* This CPU's row, or NULL when the table is full. */
static __always_inline struct conn *ops_row(__u32 *slot)
{
	__u32 zero = 0, *own = bpf_map_lookup_elem(&own_rows, &zero);

	if (!own)
		return NULL;
	if (!*own) {
		if (!slot_take(slot))
			return NULL;
		*own = *slot + 1;
	}
	*slot = *own - 1;
	return bpf_map_lookup_elem(&conns, slot);
}

/* The datagram goes: it counts as a connection that begins and ends. Not a later fragment, which follows its first. */
static __noinline struct conn *ops_pass(const struct packet *pkt, struct conn *conn)
{
	struct dest *dest;

	if (!pkt || !conn)
		return NULL;
	conn->state = STATE_NEW;
	if (pkt->is_calling)
		template_assure(conn->control);
	template_leave(conn->control);
	if (pkt->is_fragment)
		return conn;
	if (pkt->is_part)
		fragment_lead(pkt, conn->dest, conn->server_port);
	dest = conn_dest(conn);
	if (dest && dest->upper) {
		load_join(dest);
		load_leave(dest, CONN_INACTIVE); /* which may clear an overload */
	}
	count_connection(conn->dest);
	return conn;
}

#endif
