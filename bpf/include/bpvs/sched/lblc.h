/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locality-based least connection: a destination's server, as long as it is listed, its weight is above 0, and it has no
 * more active connections than its weight or nobody could help it; else as wlc, which then is the destination's server
 * (net/netfilter/ipvs/ip_vs_lblc.c). Whether the server is overloaded is not asked.
 */
#ifndef BPVS_SCHED_LBLC_H
#define BPVS_SCHED_LBLC_H

#include "cache.h"
#include "wlc.h"

static __always_inline bool lblc_serves(const struct plan *plan, __u32 place)
{
	struct server *server = place == NO_SERVER ? NULL : server_at(plan->first, place);

	return server && server->weight && !cache_is_busy(plan, place);
}

__noinline __u32 sched_lblc(const struct plan *plan, const struct packet *pkt)
{
	struct cached *entry;
	__u32 place;

	if (!plan || !pkt)
		return NO_SERVER;
	entry = cache_find(plan, pkt);
	if (entry) {
		entry->used = clock_ms(clock_ns());
		place = member_place(plan, cache_member(plan, pkt));
		if (lblc_serves(plan, place))
			return place;
	}
	place = sched_wlc(plan);
	if (place != NO_SERVER)
		cache_begin(plan, pkt, place);
	return place;
}

#endif
