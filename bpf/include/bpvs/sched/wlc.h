/* SPDX-License-Identifier: GPL-2.0-only */
/* Weighted least connection: the least (257 * active + inactive) / weight (net/netfilter/ipvs/ip_vs_wlc.c). */
#ifndef BPVS_SCHED_WLC_H
#define BPVS_SCHED_WLC_H

#include "scan.h"

static long wlc_step(__u32 place, struct scan *scan)
{
	struct server *server;
	struct dest *dest = scan_look(scan, place, &server);

	if (dest)
		scan_offer(scan, place, load_cost(dest), server->weight);
	return 0;
}

__noinline __u32 sched_wlc(const struct plan *plan)
{
	struct scan scan;

	if (!plan)
		return NO_SERVER;
	scan = scan_of(plan);
	bpf_loop(plan->count, wlc_step, &scan, 0);
	return scan.best;
}

#endif
