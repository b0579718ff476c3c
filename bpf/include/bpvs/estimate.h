/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates as IPVS estimates them (net/netfilter/ipvs/ip_vs_est.c), every TICK = 2 s, d = increase since the last tick:
 *
 *	connections, packets:	e += ((d << 9) - e) >> 2	shown as (e + 511) >> 10
 *	bytes:			e += ((d << 4) - e) >> 2	shown as (e + 15) >> 5
 *
 * A service's increase is the sum of its servers'; row 0 stands for the whole instance, whose increase is the sum of all
 * rows', also of servers that are gone since. Servers take turns in PHASES groups, services go with the last one.
 */
#ifndef BPVS_ESTIMATE_H
#define BPVS_ESTIMATE_H

#include "clock.h"
#include "maps.h"

#define MAX_CPUS 4096 /* more than the kernel knows; the walk ends at the last one */
#define ESTIMATE_TICK (2 * NS_PER_S)
#define PHASES 8

#define SCALE_PACKETS 9
#define SCALE_BYTES 4

struct sum {
	__u32 dest;
	struct counters total;
};

static long sum_step(__u32 cpu, struct sum *sum)
{
	struct lane *lane = bpf_map_lookup_percpu_elem(&traffic, &sum->dest, cpu);
	const struct counters *counters;

	if (!lane) /* no such CPU: the last one was before */
		return 1;
	counters = &lane->counters;
	sum->total.connections += counters->connections;
	sum->total.in_packets += counters->in_packets;
	sum->total.out_packets += counters->out_packets;
	sum->total.in_bytes += counters->in_bytes;
	sum->total.out_bytes += counters->out_bytes;
	return 0;
}

static __always_inline void average_move(__u64 *average, __u64 increase, __u32 scale)
{
	*average += (__s64)((increase << scale) - *average) >> 2;
}

static __always_inline void averages_move(struct counters *average, const struct counters *increase)
{
	average_move(&average->connections, increase->connections, SCALE_PACKETS);
	average_move(&average->in_packets, increase->in_packets, SCALE_PACKETS);
	average_move(&average->out_packets, increase->out_packets, SCALE_PACKETS);
	average_move(&average->in_bytes, increase->in_bytes, SCALE_BYTES);
	average_move(&average->out_bytes, increase->out_bytes, SCALE_BYTES);
}

static __always_inline void counters_add(struct counters *to, const struct counters *what)
{
	to->connections += what->connections;
	to->in_packets += what->in_packets;
	to->out_packets += what->out_packets;
	to->in_bytes += what->in_bytes;
	to->out_bytes += what->out_bytes;
}

static __always_inline void counters_take(struct counters *from, const struct counters *what)
{
	from->connections -= what->connections;
	from->in_packets -= what->in_packets;
	from->out_packets -= what->out_packets;
	from->in_bytes -= what->in_bytes;
	from->out_bytes -= what->out_bytes;
}

static __always_inline __u64 later(__u64 one, __u64 other)
{
	return one > other ? one : other;
}

/* A display that was set to zero since the last tick begins there; so does a row's new server. */
static __always_inline void counters_begin(struct counters *last, const struct counters *zero)
{
	last->connections = later(last->connections, zero->connections);
	last->in_packets = later(last->in_packets, zero->in_packets);
	last->out_packets = later(last->out_packets, zero->out_packets);
	last->in_bytes = later(last->in_bytes, zero->in_bytes);
	last->out_bytes = later(last->out_bytes, zero->out_bytes);
}

/* Adds an increase to a row of `service_rates`, for its own turn. */
static __always_inline void service_gains(__u32 row, const struct counters *increase)
{
	struct rates *rates = bpf_map_lookup_elem(&service_rates, &row);

	if (rates)
		counters_add(&rates->last, increase);
}

static long estimate_dest(__u32 index, __u32 *phase)
{
	__u32 row = index * PHASES + *phase;
	struct sum sum = { .dest = row };
	struct dest *dest = bpf_map_lookup_elem(&dests, &row);
	struct rates *rates = bpf_map_lookup_elem(&dest_rates, &row);
	struct counters increase;

	if (!dest || !rates || !(dest->flags & DEST_USED))
		return 0;
	bpf_loop(MAX_CPUS, sum_step, &sum, 0);
	increase = sum.total;
	counters_take(&increase, &rates->last);
	service_gains(TOTAL_ROW, &increase);

	counters_begin(&rates->last, &dest->zero);
	increase = sum.total;
	counters_take(&increase, &rates->last);
	rates->last = sum.total;
	if (!(dest->flags & DEST_ORPHAN))
		service_gains(dest->service, &increase);
	if (dest->flags & DEST_LISTED)
		averages_move(&rates->average, &increase);
	return 0;
}

static long estimate_service(__u32 row, void *unused)
{
	struct rates *rates = bpf_map_lookup_elem(&service_rates, &row);
	struct counters none = {};

	(void)unused;
	if (!rates)
		return 1;
	averages_move(&rates->average, &rates->last);
	rates->last = none;
	return 0;
}

/* Estimates one group; the time until the next. */
static __always_inline __u64 estimate_some(void)
{
	struct settings *settings = settings_get();
	struct runtime *runtime = runtime_get();
	__u32 phase;

	if (!settings || !runtime || !settings->vs.run_estimation)
		return ESTIMATE_TICK / PHASES;
	phase = runtime->estimate % PHASES;
	bpf_loop((settings->dest_high + PHASES - 1) / PHASES, estimate_dest, &phase, 0);
	if (phase == PHASES - 1)
		bpf_loop(settings->service_high, estimate_service, NULL, 0);
	runtime->estimate = phase + 1;
	return ESTIMATE_TICK / PHASES;
}

#endif
