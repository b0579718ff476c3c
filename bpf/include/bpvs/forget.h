/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Forgetting destinations of lblc and lblcr, once a minute as the timers of net/netfilter/ipvs/ip_vs_lblc.c:
 *
 *	every 30th time		entries not used for lblc_expiration, lblcr_expiration
 *	the other times		where a service has more than CACHE_GOAL entries, those not used for 6 minutes, up to
 *				4/3 of what is above it and half of CACHE_GOAL
 *
 * and at all times what belongs to no plan in force any more.
 */
#ifndef BPVS_FORGET_H
#define BPVS_FORGET_H

#include "clock.h"
#include "maps.h"

#define FORGET_PERIOD clock_ms(60 * NS_PER_S)
#define FORGET_FULL 30               /* periods from one full check to the next */
#define FORGET_IDLE (360 * NS_PER_S) /* of the other checks */

/* The plan in force whose cache it is, or NULL. */
static __always_inline const struct plan *cache_plan(const struct service *service, __u32 generation)
{
	const struct plan *plan = &service->plan[service->current & 1];

	if (!service->family || plan->generation != generation)
		return NULL;
	return plan_has_cache(plan) ? plan : NULL;
}

/* Works out how many entries a service may lose now. */
static long forget_plan_step(__u32 row, void *context)
{
	struct service *service = bpf_map_lookup_elem(&services, &row);
	__u32 excess;

	(void)context;
	if (!service)
		return 1;
	service->forgets = 0;
	if (++service->cache_age % FORGET_FULL == 0) {
		service->forgets = CACHE_LIMIT;
	} else if (service->cached > CACHE_GOAL) {
		excess = (service->cached - CACHE_GOAL) * 4 / 3;
		service->forgets = excess < CACHE_GOAL / 2 ? excess : CACHE_GOAL / 2;
	}
	return 0;
}

static __always_inline __u32 forget_idle(const struct service *service, const struct plan *plan)
{
	struct settings *settings = settings_get();
	__u64 seconds;

	if (!settings || service->cache_age % FORGET_FULL)
		return clock_ms(FORGET_IDLE);
	seconds = plan->scheduler == SCHED_LBLC ? settings->vs.lblc_expiration : settings->vs.lblcr_expiration;
	return clock_ms(seconds * NS_PER_S);
}

static long forget_step(void *map, const struct cache_key *key, const struct cached *entry, __u32 *now)
{
	__u32 row = key->generation % MAX_SERVICES;
	struct service *service = bpf_map_lookup_elem(&services, &row);
	const struct plan *plan = service ? cache_plan(service, key->generation) : NULL;

	if (plan) {
		if (!service->forgets || clock_since(entry->used, *now) < forget_idle(service, plan))
			return 0;
		service->forgets--;
		__sync_fetch_and_add(&service->cached, -1);
	}
	bpf_map_delete_elem(map, key);
	return 0;
}

/* Members go after their entries. */
static long forget_member_step(void *map, const struct member_key *key, const struct member *member, void *context)
{
	(void)member, (void)context;
	if (!bpf_map_lookup_elem(&cached, &key->cache))
		bpf_map_delete_elem(map, key);
	return 0;
}

static __always_inline void forget_some(void)
{
	struct settings *settings = settings_get();
	struct runtime *runtime = runtime_get();
	__u32 now = clock_ms(clock_ns());

	if (!settings || !runtime || (runtime->forget_at && (__s32)(now - runtime->forget_at) < 0))
		return;
	bpf_loop(settings->service_high, forget_plan_step, NULL, 0);
	bpf_for_each_map_elem(&cached, forget_step, &now, 0);
	bpf_for_each_map_elem(&members, forget_member_step, NULL, 0);
	runtime->forget_at = now + FORGET_PERIOD;
}

#endif
