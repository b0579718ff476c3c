/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Expiry: a walk over the rows of `conns`, a slice per tick, that ends every connection not seen for its state's
 * timeout, and every template that sent nobody for its own. A full walk takes about SWEEP_PERIOD, so a connection goes at
 * most that much late. Large tables are walked in many small slices: no tick holds its CPU for long.
 */
#ifndef BPVS_EXPIRE_H
#define BPVS_EXPIRE_H

#include "conn.h"

#define SWEEP_PERIOD NS_PER_S
#define SLICE_ROWS 8192 /* rows per tick before ticks get shorter */
#define TICK_LONGEST (250 * NS_PER_MS)
#define TICK_SHORTEST (5 * NS_PER_MS)

struct sweep {
	__u32 now; /* see clock_ms() */
	__u32 row;
	__u32 used; /* rows that hold a connection */
};

/* How long it may rest, see clock_ms(). */
static __always_inline __u32 conn_rest(struct conn *conn, const struct settings *settings)
{
	__u32 state = conn->state & CONN_STATE;

	if (conn->state & CONN_TEMPLATE)
		return clock_ms(conn_template(conn)->timeout_s * NS_PER_S);
	return state < STATE_COUNT ? clock_ms(settings->timeout_s[state] * NS_PER_S) : -1U;
}

/* Does it end before its time: together with its server (expire_nodest_conn), or because room is short (drop_entry)? */
static __always_inline bool conn_is_unwanted(const struct conn *conn, const struct settings *settings, __u32 idle)
{
	struct dest *dest;

	if (conn->state & CONN_TEMPLATE && conn->control)
		return false;
	if (settings->vs.expire_nodest_conn) {
		dest = conn_dest(conn);
		if (!dest || conn_is_left(conn, dest))
			return true;
	}
	return defence_is_up(settings->vs.drop_entry) && drop_entry(conn, idle);
}

static __always_inline bool conn_is_due(struct conn *conn, __u32 now)
{
	struct settings *settings = settings_get();
	__u32 idle = clock_since(conn->seen, now);

	if (!settings)
		return false;
	if (idle <= conn_rest(conn, settings) && !conn_is_unwanted(conn, settings, idle))
		return false;
	return !(conn->state & CONN_TEMPLATE) || template_may_end(conn, now);
}

static long sweep_step(__u32 index, struct sweep *sweep)
{
	__u32 row = sweep->row + index;
	struct conn *conn = bpf_map_lookup_elem(&conns, &row);

	if (!conn || !(conn->state & CONN_USED))
		return 0;
	sweep->used++;
	if (conn_is_due(conn, sweep->now))
		conn_end(conn, row);
	return 0;
}

/* At the end of each walk. */
static __always_inline void walked(struct runtime *runtime)
{
	struct settings *settings = settings_get();

	if (settings)
		defend(settings, runtime, runtime->conns_seen);
	runtime->conns_seen = 0;
	runtime->sweep = 0;
}

/* Walks one slice on; the time until the next. */
static __always_inline __u64 expire_some(void)
{
	struct runtime *runtime = runtime_get();
	struct sweep sweep = { .now = clock_ms(clock_ns()) };
	__u64 tick = TICK_LONGEST;
	__u32 rows, high;

	if (!runtime || !runtime->conn_high)
		return tick;
	high = runtime->conn_high;
	sweep.row = runtime->sweep < high ? runtime->sweep : 0;
	if (high > SLICE_ROWS * (SWEEP_PERIOD / TICK_LONGEST))
		tick = SWEEP_PERIOD * SLICE_ROWS / high;
	if (tick < TICK_SHORTEST)
		tick = TICK_SHORTEST;
	rows = high * tick / SWEEP_PERIOD + 1;
	if (rows > high - sweep.row)
		rows = high - sweep.row;
	bpf_loop(rows, sweep_step, &sweep, 0);
	runtime->conns_seen += sweep.used;
	runtime->sweep = sweep.row + rows;
	if (runtime->sweep >= high)
		walked(runtime);
	return tick;
}

#endif
