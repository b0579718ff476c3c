/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks at all servers of a plan for the one with the least cost for its weight; of several the newest. */
#ifndef BPVS_SCHED_SCAN_H
#define BPVS_SCHED_SCAN_H

#include "list.h"

struct scan {
	__u32 first; /* row of `servers` */
	__u32 best;  /* place, or NO_SERVER */
	__u64 cost;
	__u64 weight;
};

/* Nothing found yet: a cost that is above everyone's. */
static __always_inline struct scan scan_of(const struct plan *plan)
{
	struct scan scan = { .first = plan->first, .best = NO_SERVER, .cost = 1 };

	return scan;
}

/* The server at that place and its dest, if it may have new connections. */
static __always_inline struct dest *scan_look(const struct scan *scan, __u32 place, struct server **server)
{
	struct dest *dest;

	*server = server_at(scan->first, place);
	if (!*server || !(*server)->weight)
		return NULL;
	dest = server_dest(*server);
	return dest && ((*server)->flags & SERVER_LIMITED) && dest->overloaded ? NULL : dest;
}

/* Keeps it if cost / weight is less than that of the best so far. */
static __always_inline void scan_offer(struct scan *scan, __u32 place, __u64 cost, __u64 weight)
{
	if (cost * scan->weight >= scan->cost * weight)
		return;
	scan->best = place;
	scan->cost = cost;
	scan->weight = weight;
}

#endif
