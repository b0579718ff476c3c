/* SPDX-License-Identifier: GPL-2.0-only */
/* How often something may happen in a second. */
#ifndef BPVS_LIMIT_H
#define BPVS_LIMIT_H

#include "clock.h"
#include <stdbool.h>

/*
 * Counts one more in this second; is it within the limit? What is beyond it is not counted: in a flood all CPUs would write
 * the same line for every packet.
 */
static __always_inline bool limit_take(__u32 *count, __u64 *since, __u32 limit)
{
	__u64 now = clock_ns();

	if ((__s64)(now - *since) > (__s64)NS_PER_S) {
		*since = now;
		*count = 0;
	}
	return *(volatile __u32 *)count < limit && __sync_fetch_and_add(count, 1) < limit;
}

#endif
