/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Destination hashing: slot = destination * GOLDEN_RATIO >> 24 of 256, servers in turn whatever their weight
 * (net/netfilter/ipvs/ip_vs_dh.c). A server that may have no new connections has no substitute.
 */
#ifndef BPVS_SCHED_DH_H
#define BPVS_SCHED_DH_H

#include "hash.h"

__noinline __u32 sched_dh(const struct plan *plan, const struct packet *pkt)
{
	struct rehash rehash;

	if (!plan || !pkt)
		return NO_SERVER;
	rehash = rehash_of(plan, 0);
	rehash_try(&rehash, hash_golden(hash_address(&pkt->key.dst)));
	return rehash.found;
}

#endif
