/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Never queue: the first server of the list without an active connection, whatever its weight above 0; if there is none
 * the least (active + 1) / weight (net/netfilter/ipvs/ip_vs_nq.c).
 */
#ifndef BPVS_SCHED_NQ_H
#define BPVS_SCHED_NQ_H

#include "scan.h"

static long nq_step(__u32 place, struct scan *scan)
{
	struct server *server;
	struct dest *dest = scan_look(scan, place, &server);
	__u32 active;

	if (!dest)
		return 0;
	active = dest->active;
	if (active) {
		scan_offer(scan, place, (__u64)active + 1, server->weight);
		return 0;
	}
	scan->best = place;
	return 1;
}

__noinline __u32 sched_nq(const struct plan *plan)
{
	struct scan scan;

	if (!plan)
		return NO_SERVER;
	scan = scan_of(plan);
	bpf_loop(plan->count, nq_step, &scan, 0);
	return scan.best;
}

#endif
