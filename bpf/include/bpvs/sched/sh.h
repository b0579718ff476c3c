/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source hashing: slot = source [+ port, PLAN_FLAG_2] * GOLDEN_RATIO >> 24 of 256, servers with as many slots in a row as
 * their weight (net/netfilter/ipvs/ip_vs_sh.c). PLAN_FLAG_1: where that server may have no new connections, the slots
 * from twice that slot on are tried.
 */
#ifndef BPVS_SCHED_SH_H
#define BPVS_SCHED_SH_H

#include "hash.h"

static long sh_step(__u32 offset, struct rehash *rehash)
{
	return rehash_try(rehash, (offset + 2 * rehash->slot) % HASH_SLOTS);
}

__noinline __u32 sched_sh(const struct plan *plan, const struct packet *pkt)
{
	struct rehash rehash;

	if (!plan || !pkt)
		return NO_SERVER;
	rehash = rehash_of(plan, 0);
	rehash.slot = hash_golden(hash_client(plan, pkt));
	if (!rehash_try(&rehash, rehash.slot) && plan->flags & PLAN_FLAG_1)
		bpf_loop(HASH_SLOTS, sh_step, &rehash, 0);
	return rehash.found;
}

#endif
