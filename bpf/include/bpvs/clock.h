/* SPDX-License-Identifier: GPL-2.0-only */
/* Time as the data path tells it: CLOCK_MONOTONIC_COARSE, one tick exact, a few ns to read. */
#ifndef BPVS_CLOCK_H
#define BPVS_CLOCK_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

/* The time as last read, and the tick it was read in: the clock stands still in between. Shared by all CPUs. */
static volatile __u64 clock_tick, clock_tick_ns;

static __always_inline __u64 clock_ns(void)
{
	__u64 tick = bpf_jiffies64(); /* a load, where bpf_ktime_get_coarse_ns() is three calls */

	if (tick != clock_tick) {
		clock_tick_ns = bpf_ktime_get_coarse_ns();
		clock_tick = tick;
	}
	return clock_tick_ns;
}

/* Units of 2^20 ns (1.05 ms), wrapping after 52 days: only differences mean something. */
static __always_inline __u32 clock_ms(__u64 ns)
{
	return ns >> 20;
}

#define CLOCK_AHEAD 0x10000 /* another CPU's clock may be ahead, never by that much */

/* From then to now, in units of clock_ms(). */
static __always_inline __u32 clock_since(__u32 then, __u32 now)
{
	__u32 age = now - then;

	return age > 0U - CLOCK_AHEAD ? 0 : age;
}

#endif
