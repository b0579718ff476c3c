/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plan whose table names the servers in the order in which they are wanted, those of weight 0 left out; it ends with its
 * rows or with an empty slot.
 */
#ifndef BPVS_SCHED_ORDER_H
#define BPVS_SCHED_ORDER_H

#include "slots.h"

struct order {
	__u32 first; /* row of `servers` */
	__u32 table; /* row of `slots` */
	__u32 found; /* place, or NO_SERVER */
};

static __always_inline struct order order_of(const struct plan *plan)
{
	struct order order = { .first = plan->first, .table = plan->slots, .found = NO_SERVER };

	return order;
}

#endif
