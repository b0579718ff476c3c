/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overflow: the greatest weight among servers with no more active connections than their weight, not overloaded; of
 * several the newest (net/netfilter/ipvs/ip_vs_ovf.c). So a server takes one more than its weight.
 */
#ifndef BPVS_SCHED_OVF_H
#define BPVS_SCHED_OVF_H

#include "order.h"

static long ovf_step(__u32 index, struct order *order)
{
	__u32 place;
	struct server *server = slot_server(order->first, order->table, index, &place);
	struct dest *dest;

	if (!server)
		return 1;
	if (!server_is_usable(server))
		return 0;
	dest = server_dest(server);
	if (!dest || dest->active > server->weight)
		return 0;
	order->found = place;
	return 1;
}

__noinline __u32 sched_ovf(const struct plan *plan)
{
	struct order order;

	if (!plan)
		return NO_SERVER;
	order = order_of(plan);
	bpf_loop(plan->slot_rows * SLOTS_PER_ROW, ovf_step, &order, 0);
	return order.found;
}

#endif
