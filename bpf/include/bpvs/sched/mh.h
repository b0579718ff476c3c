/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maglev: slot = SipHash-1-3(source [+ port, PLAN_FLAG_2]) of 4093, filled by director/slots.py
 * (net/netfilter/ipvs/ip_vs_mh.c). PLAN_FLAG_1: where that server may have no new connections, so may the ones be tried
 * that source + 1, source + 2, ... lead to, in a circle of 4093 that begins at the first slot's number.
 */
#ifndef BPVS_SCHED_MH_H
#define BPVS_SCHED_MH_H

#include "../siphash.h"
#include "hash.h"

static __always_inline __u32 mh_slot(__u32 value)
{
	return hsiphash(MAGLEV_KEY, value) % MAGLEV_SLOTS;
}

static long mh_step(__u32 offset, struct rehash *rehash)
{
	return rehash_try(rehash, mh_slot((offset + rehash->slot) % MAGLEV_SLOTS + rehash->value));
}

__noinline __u32 sched_mh(const struct plan *plan, const struct packet *pkt)
{
	struct rehash rehash;

	if (!plan || !pkt)
		return NO_SERVER;
	rehash = rehash_of(plan, hash_client(plan, pkt));
	rehash.slot = mh_slot(rehash.value);
	if (!rehash_try(&rehash, rehash.slot) && plan->flags & PLAN_FLAG_1)
		bpf_loop(MAGLEV_SLOTS, mh_step, &rehash, 0);
	return rehash.found;
}

#endif
