/* SPDX-License-Identifier: GPL-2.0-only */
/* Shortest expected delay: the least (active + 1) / weight (net/netfilter/ipvs/ip_vs_sed.c). */
#ifndef BPVS_SCHED_SED_H
#define BPVS_SCHED_SED_H

#include "scan.h"

static long sed_step(__u32 place, struct scan *scan)
{
	struct server *server;
	struct dest *dest = scan_look(scan, place, &server);

	if (dest)
		scan_offer(scan, place, (__u64)dest->active + 1, server->weight);
	return 0;
}

__noinline __u32 sched_sed(const struct plan *plan)
{
	struct scan scan;

	if (!plan)
		return NO_SERVER;
	scan = scan_of(plan);
	bpf_loop(plan->count, sed_step, &scan, 0);
	return scan.best;
}

#endif
