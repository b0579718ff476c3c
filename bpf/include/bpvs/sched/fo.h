/* SPDX-License-Identifier: GPL-2.0-only */
/* Failover: the greatest weight that is not overloaded; of several the newest (net/netfilter/ipvs/ip_vs_fo.c). */
#ifndef BPVS_SCHED_FO_H
#define BPVS_SCHED_FO_H

#include "order.h"

static long fo_step(__u32 index, struct order *order)
{
	__u32 place;
	struct server *server = slot_server(order->first, order->table, index, &place);

	if (!server)
		return 1;
	if (!server_is_usable(server))
		return 0;
	order->found = place;
	return 1;
}

__noinline __u32 sched_fo(const struct plan *plan)
{
	struct order order;

	if (!plan)
		return NO_SERVER;
	order = order_of(plan);
	bpf_loop(plan->slot_rows * SLOTS_PER_ROW, fo_step, &order, 0);
	return order.found;
}

#endif
