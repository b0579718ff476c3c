/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Expiry: a walk over the rows of `conns`, a slice per tick, that ends every connection not seen for its state's
 * timeout, and every template that sent nobody for its own. A full walk takes about SWEEP_PERIOD, so a connection goes at most that much late. Large tables are walked in
 * many small slices: no tick holds its CPU for long.
 */
#ifndef BPVS_EXPIRE_H
#define BPVS_EXPIRE_H

#include "conn.h"

#define SWEEP_PERIOD NS_PER_S
#define SLICE_ROWS 8192 /* rows per tick before ticks get shorter */
#define TICK_LONGEST (250 * NS_PER_MS)
#define TICK_SHORTEST (5 * NS_PER_MS)
#define IDLE_LONGEST (0U - 0x10000) /* more: another CPU's clock was ahead when it saw the packet */

struct sweep {
	__u32 now; /* see clock_ms() */
	__u32 row;
	__u32 high;
};

/* How long it may rest, see clock_ms(). */
static __always_inline __u32 conn_rest(struct conn *conn)
{
	struct settings *settings = settings_get();
	__u32 state = conn->state & CONN_STATE;

	if (conn->state & CONN_TEMPLATE)
		return clock_ms(conn_template(conn)->timeout_s * NS_PER_S);
	return settings && state < STATE_COUNT ? clock_ms(settings->timeout_s[state] * NS_PER_S) : -1U;
}

static __always_inline bool conn_is_due(struct conn *conn, __u32 now)
{
	__u32 idle = now - conn->seen;

	if (!(conn->state & CONN_USED) || idle > IDLE_LONGEST || idle <= conn_rest(conn))
		return false;
	return !(conn->state & CONN_TEMPLATE) || template_may_end(conn, now);
}

static long sweep_step(__u32 index, struct sweep *sweep)
{
	__u32 row = sweep->row + index;
	struct conn *conn;

	if (row >= sweep->high)
		row -= sweep->high;
	conn = bpf_map_lookup_elem(&conns, &row);
	if (conn && conn_is_due(conn, sweep->now))
		conn_end(conn, row);
	return 0;
}

/* Walks one slice on; the time until the next. */
static __always_inline __u64 expire_some(void)
{
	struct runtime *runtime = runtime_get();
	struct sweep sweep = { .now = clock_ms(clock_ns()) };
	__u64 tick = TICK_LONGEST;
	__u32 rows;

	if (!runtime || !runtime->conn_high)
		return tick;
	sweep.high = runtime->conn_high;
	sweep.row = runtime->sweep < sweep.high ? runtime->sweep : 0;
	if (sweep.high > SLICE_ROWS * (SWEEP_PERIOD / TICK_LONGEST))
		tick = SWEEP_PERIOD * SLICE_ROWS / sweep.high;
	if (tick < TICK_SHORTEST)
		tick = TICK_SHORTEST;
	rows = sweep.high * tick / SWEEP_PERIOD + 1;
	if (rows > sweep.high)
		rows = sweep.high;
	bpf_loop(rows, sweep_step, &sweep, 0);
	runtime->sweep = (sweep.row + rows) % sweep.high;
	return tick;
}

#endif
