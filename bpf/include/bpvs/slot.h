/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of `conns`: taken and given back. The stamp of a row rises with that, so that keys of former owners lead nowhere. */
#ifndef BPVS_SLOT_H
#define BPVS_SLOT_H

#include "maps.h"

/* A free row, or NULL when the table is full. */
static __always_inline struct conn *slot_take(__u32 *slot)
{
	struct runtime *runtime;

	if (bpf_map_pop_elem(&free_slots, slot)) {
		runtime = runtime_get();
		if (!runtime || !bpf_map_lookup_elem(&conns, &runtime->conn_high))
			return NULL;
		*slot = __sync_fetch_and_add(&runtime->conn_high, 1);
	}
	return bpf_map_lookup_elem(&conns, slot);
}

static __always_inline void slot_free(struct conn *conn, __u32 slot)
{
	conn->stamp++;
	bpf_map_push_elem(&free_slots, &slot, BPF_ANY);
}

#endif
