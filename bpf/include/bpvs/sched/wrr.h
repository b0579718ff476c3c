/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weighted round robin: passes over the list, each with a threshold; a server takes part in the passes whose threshold
 * is not above its weight. Thresholds fall from plan.top by plan.step (net/netfilter/ipvs/ip_vs_wrr.c).
 * turn = threshold << 32 | place used last, counted from 1 (0 = a pass begins).
 */
#ifndef BPVS_SCHED_WRR_H
#define BPVS_SCHED_WRR_H

#include "scan.h"
#include "walk.h"

static long wrr_heaviest_step(__u32 place, struct scan *scan)
{
	struct server *server = server_at(scan->first, place);

	if (server && server->weight > scan->weight && server_is_usable(server))
		scan->weight = server->weight;
	return 0;
}

/*
 * The next threshold that finds somebody, after one that found nobody: the heaviest servers are overloaded. 0: all are.
 * All thresholds leave the same rest by plan.step, so it is the heaviest weight less (step - 1).
 */
static __always_inline __u32 wrr_threshold(const struct plan *plan)
{
	struct scan scan = scan_of(plan);

	bpf_loop(plan->count, wrr_heaviest_step, &scan, 0);
	return scan.weight ? scan.weight - (plan->step - 1) : 0;
}

/* Nobody may have new connections. IPVS looks on behind the server used last if that was in a lowest pass. */
static __always_inline __u64 wrr_rest(const struct plan *plan, __u64 turn)
{
	return (__u32)turn && turn >> 32 <= plan->step ? turn : (__u64)plan->top << 32;
}

__noinline __u32 sched_wrr(const struct plan *plan, __u64 turn, __u64 *next)
{
	struct walk walk = { .threshold = turn >> 32 };
	__u32 place, from = turn;

	if (!plan || !next || !plan->top)
		return NO_SERVER;
	walk.first = plan->first;
	walk.count = plan->count;
	if (!walk.threshold)
		walk.threshold = plan->top;
	place = walk_find(&walk, from, from < plan->count ? plan->count - from : 0);
	if (place == NO_SERVER) { /* the pass ends */
		walk.threshold = walk.threshold > plan->step ? walk.threshold - plan->step : plan->top;
		place = walk_find(&walk, 0, plan->count);
	}
	if (place == NO_SERVER) {
		walk.threshold = wrr_threshold(plan);
		place = walk.threshold ? walk_find(&walk, 0, plan->count) : NO_SERVER;
	}
	*next = place == NO_SERVER ? wrr_rest(plan, turn) : (__u64)walk.threshold << 32 | (place + 1);
	return place;
}

#endif
