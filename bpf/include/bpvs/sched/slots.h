/* SPDX-License-Identifier: GPL-2.0-only */
/* The table that belongs to a plan: places in its list of servers, SLOTS_PER_ROW to a row of `slots`. */
#ifndef BPVS_SCHED_SLOTS_H
#define BPVS_SCHED_SLOTS_H

#include "list.h"

/* The server in a slot and its place, or NULL. */
static __always_inline struct server *slot_server(__u32 first, __u32 table, __u32 slot, __u32 *place)
{
	__u32 row = table + slot / SLOTS_PER_ROW;
	struct slot_row *found = bpf_map_lookup_elem(&slots, &row);

	*place = found ? found->place[slot % SLOTS_PER_ROW] : SLOT_EMPTY;
	return *place == SLOT_EMPTY ? NULL : server_at(first, *place);
}

#endif
