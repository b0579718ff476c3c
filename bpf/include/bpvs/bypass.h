/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Caches that are all down must not cut their clients off from the world: with cache_bypass a packet of a service by mark
 * that has no server goes to where it was going, and its connection with it (IPVS: ip_vs_leave). Such a connection has
 * row 0 of `dests`, which is nobody's and counts nothing; its hop is asked for each packet anew.
 */
#ifndef BPVS_BYPASS_H
#define BPVS_BYPASS_H

#include "begin.h"
#include "nexthop.h"

/* Does the packet, which got no server, go on without? Its destination is another host. */
static __always_inline bool bypass_takes(hook_ctx *ctx, const struct packet *pkt, const struct vs *vs,
					 enum verdict verdict)
{
	if (!vs->cache_bypass || verdict != DROP_NO_SERVER || !pkt->by_mark || pkt->is_error || pkt->is_opening)
		return false;
	return address_is_host(&pkt->key.dst) && !is_for_director(ctx, pkt);
}

#endif
