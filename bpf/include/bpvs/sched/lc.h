/* SPDX-License-Identifier: GPL-2.0-only */
/* Least connection: the least 257 * active + inactive, whatever the weight above 0 (net/netfilter/ipvs/ip_vs_lc.c). */
#ifndef BPVS_SCHED_LC_H
#define BPVS_SCHED_LC_H

#include "scan.h"

static long lc_step(__u32 place, struct scan *scan)
{
	struct server *server;
	struct dest *dest = scan_look(scan, place, &server);

	if (dest)
		scan_offer(scan, place, load_cost(dest), 1);
	return 0;
}

__noinline __u32 sched_lc(const struct plan *plan)
{
	struct scan scan;

	if (!plan)
		return NO_SERVER;
	scan = scan_of(plan);
	bpf_loop(plan->count, lc_step, &scan, 0);
	return scan.best;
}

#endif
