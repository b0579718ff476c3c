/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weighted round robin: passes over the list, each with a threshold; a server takes part in the passes whose threshold
 * is not above its weight. Thresholds fall from plan.top by plan.step (net/netfilter/ipvs/ip_vs_wrr.c).
 * turn = threshold << 32 | row used last, counted from 1 (0 = a pass begins).
 */
#ifndef BPVS_SCHED_WRR_H
#define BPVS_SCHED_WRR_H

#include "walk.h"

static __always_inline __u32 sched_wrr(const struct plan *plan, __u64 turn, __u64 *next)
{
	struct walk walk = { .first = plan->first, .count = plan->count, .at = turn, .threshold = turn >> 32 };
	__u32 rest = walk.at < plan->count ? plan->count - walk.at : 0;
	__u32 row;

	if (!plan->top)
		return NO_SERVER;
	if (!walk.threshold)
		walk.threshold = plan->top;
	row = walk_find(&walk, rest);
	if (row == NO_SERVER) { /* the pass ends; the next one finds at least the heaviest server */
		walk.at = 0;
		walk.threshold = walk.threshold > plan->step ? walk.threshold - plan->step : plan->top;
		row = walk_find(&walk, plan->count);
	}
	*next = (__u64)walk.threshold << 32 | (row + 1);
	return row;
}

#endif
