/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes: what a monitor on the director sends to a virtual address by way of one real server, whatever scheduler and
 * templates say. The socket's mark is that of a service by mark which holds this server alone and which no listing shows
 * (director/probes.py). So it counts before all that could choose another: rules that give marks, and a connection that
 * the same port had a while ago.
 */
#ifndef BPVS_PROBE_H
#define BPVS_PROBE_H

#include "packet.h"
#include "service.h"

/* The packet's mark if it is a probe, else 0. */
static __always_inline __u32 probe_mark(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 mark = pkt->from_local_client ? hook_mark(ctx) : 0;

	return (mark & ~(PROBE_MARKS - 1)) == FIRST_PROBE_MARK ? mark : 0;
}

/* The row of the only server that a probe with that mark may go to; 0: it is not open. */
static __noinline __u32 probe_dest(const struct packet *pkt, __u32 mark, const struct settings *settings)
{
	struct service *service;
	struct server *server;

	if (!pkt || !settings)
		return 0;
	service = service_marked(pkt, mark, settings);
	server = service ? bpf_map_lookup_elem(&servers, &service_plan(service)->first) : NULL;
	return server ? server->dest : 0;
}

/* Has a probe found a connection with another server? */
static __always_inline bool probe_strays(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn,
					 const struct settings *settings)
{
	__u32 mark = probe_mark(ctx, pkt);
	__u32 dest = mark && pkt->direction == DIR_IN ? probe_dest(pkt, mark, settings) : 0;

	return dest && dest != conn->dest;
}

#endif
