/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Power of twos: two servers drawn by weight, of them the one with less (257 * active + inactive) / weight, the first
 * if they are equal (net/netfilter/ipvs/ip_vs_twos.c). A draw is a number from 0 to the sum of all weights; from it the
 * weights are taken off along the list, and the server that brings it to 0 or below is drawn.
 */
#ifndef BPVS_SCHED_TWOS_H
#define BPVS_SCHED_TWOS_H

#include "scan.h"

struct draw {
	__s64 rest;
	struct scan scan; /* what was drawn, with its load as cost */
};

struct twos {
	__u64 total;
	__u32 first;
	struct draw draw[2];
};

static long twos_sum_step(__u32 place, struct twos *twos)
{
	struct server *server = server_at(twos->first, place);

	if (server && server_is_usable(server))
		twos->total += server->weight;
	return 0;
}

static __always_inline void draw_offer(struct draw *draw, __u32 place, const struct dest *dest, __u32 weight)
{
	draw->rest -= weight;
	if (draw->rest > 0 || draw->scan.best != NO_SERVER)
		return;
	draw->scan.best = place;
	draw->scan.cost = load_cost(dest);
	draw->scan.weight = weight;
}

static long twos_draw_step(__u32 place, struct twos *twos)
{
	struct server *server;
	struct dest *dest = scan_look(&twos->draw[0].scan, place, &server);

	if (!dest)
		return 0;
	draw_offer(&twos->draw[0], place, dest, server->weight);
	draw_offer(&twos->draw[1], place, dest, server->weight);
	return twos->draw[0].scan.best != NO_SERVER && twos->draw[1].scan.best != NO_SERVER;
}

/* A random number from 0 to the total; totals of 2^32 and above in two halves. */
static __always_inline __s64 twos_random(__u64 total)
{
	__u64 number = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();

	return number % (total + 1);
}

__noinline __u32 sched_twos(const struct plan *plan)
{
	struct twos twos = {};
	struct scan *one, *other;

	if (!plan)
		return NO_SERVER;
	twos.first = plan->first;
	bpf_loop(plan->count, twos_sum_step, &twos, 0);
	if (!twos.total)
		return NO_SERVER;
	twos.draw[0].scan = twos.draw[1].scan = scan_of(plan);
	twos.draw[0].rest = twos_random(twos.total);
	twos.draw[1].rest = twos_random(twos.total);
	bpf_loop(plan->count, twos_draw_step, &twos, 0);
	one = &twos.draw[0].scan;
	other = &twos.draw[1].scan;
	return one->cost * other->weight > other->cost * one->weight ? other->best : one->best;
}

#endif
