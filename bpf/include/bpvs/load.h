/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many connections a real server has. Active and inactive lie side by side and change in one step, so that their sum
 * is exact and each value of it is met by one CPU: that one sets or clears the overload of a server with thresholds.
 *
 *	the sum rises to upper		no new connections
 *	the sum falls below lower	new ones again; lower 0 stands for three quarters of upper, rounded up
 */
#ifndef BPVS_LOAD_H
#define BPVS_LOAD_H

#include "maps.h"

_Static_assert(__builtin_offsetof(struct dest, active) % 8 == 0, "active and inactive are one number");
_Static_assert(__builtin_offsetof(struct dest, inactive) == __builtin_offsetof(struct dest, active) + 4,
	       "in this order");

#define LOAD_ACTIVE 1ULL
#define LOAD_INACTIVE (1ULL << 32)

/* The sum before the change. */
static __always_inline __u32 load_add(struct dest *dest, __u64 change)
{
	__u64 before = __sync_fetch_and_add((__u64 *)&dest->active, change);

	return (__u32)before + (__u32)(before >> 32);
}

static __always_inline __u32 load_least(const struct dest *dest)
{
	return dest->lower ? dest->lower : dest->upper - dest->upper / 4;
}

/* What lc and its kin compare, ip_vs_dest_conn_overhead(): 256 times the active and once all connections. */
static __always_inline __u64 load_cost(const struct dest *dest)
{
	__u64 load = *(const volatile __u64 *)&dest->active;

	return 257 * (load & 0xffffffff) + (load >> 32);
}

/* A connection was entered; it is inactive until its first packet has been forwarded. */
static __always_inline void load_join(struct dest *dest)
{
	__u32 before = load_add(dest, LOAD_INACTIVE);

	if (dest->upper && before + 1 == dest->upper)
		dest->overloaded = 1;
}

/* A connection in that state is gone. */
static __always_inline void load_leave(struct dest *dest, __u32 state)
{
	__u32 before;

	if (!(state & (CONN_ACTIVE | CONN_INACTIVE)))
		return;
	if (state & CONN_TEMPLATE) {
		__sync_fetch_and_add(&dest->persistent, -1);
		return;
	}
	before = load_add(dest, -(state & CONN_ACTIVE ? LOAD_ACTIVE : LOAD_INACTIVE));
	if (before == load_least(dest))
		dest->overloaded = 0;
}

/* A connection has become active, or inactive, as its new state says. */
static __always_inline void load_move(struct dest *dest, __u32 state)
{
	load_add(dest, state & CONN_ACTIVE ? LOAD_ACTIVE - LOAD_INACTIVE : LOAD_INACTIVE - LOAD_ACTIVE);
}

#endif
