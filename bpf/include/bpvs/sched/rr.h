/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Round robin: the server after the one used last, weight 0 left out; weights are otherwise not looked at
 * (net/netfilter/ipvs/ip_vs_rr.c). turn = place used last, counted from 1; 0 = none yet, so the newest server comes first.
 */
#ifndef BPVS_SCHED_RR_H
#define BPVS_SCHED_RR_H

#include "walk.h"

__noinline __u32 sched_rr(const struct plan *plan, __u64 turn, __u64 *next)
{
	struct walk walk = { .threshold = 1 };
	__u32 place;

	if (!plan || !next)
		return NO_SERVER;
	walk.first = plan->first;
	walk.count = plan->count;
	place = walk_find(&walk, turn, plan->count);
	if (place != NO_SERVER)
		*next = place + 1;
	return place;
}

#endif
