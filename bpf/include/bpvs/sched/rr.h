/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Round robin: the server after the one used last, weight 0 left out; weights are otherwise not looked at.
 * turn = row used last, counted from 1; 0 = none yet, so the newest server comes first.
 */
#ifndef BPVS_SCHED_RR_H
#define BPVS_SCHED_RR_H

#include "walk.h"

static __always_inline __u32 sched_rr(const struct plan *plan, __u64 turn, __u64 *next)
{
	struct walk walk = { .first = plan->first, .count = plan->count, .at = turn, .threshold = 1 };
	__u32 row = walk_find(&walk, plan->count);

	*next = row + 1;
	return row;
}

#endif
