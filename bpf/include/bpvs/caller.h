/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Engine sip: a message that a NAT server sends of its own accord, from the port on which it serves, begins a call. It
 * leaves as the virtual service, and the client's answers find the server (net/netfilter/ipvs/ip_vs_core.c,
 * ip_vs_new_conn_out). TC only.
 */
#ifndef BPVS_CALLER_H
#define BPVS_CALLER_H

#include "persist.h"

/* The key becomes that of the client's packets. */
static __always_inline void caller_turn(struct packet *pkt, const struct service *service)
{
	pkt->key.src = pkt->key.dst;
	pkt->key.sport = pkt->key.dport;
	pkt->key.dst = service->address;
	pkt->key.dport = service->port;
}

/* The row of `services` whose call the packet begins, with the choice made: its sender. Or 0. Not static: verified once. */
__noinline __u32 caller_find(hook_ctx *ctx, struct packet *pkt, struct choice *choice)
{
	struct service_key key = {};
	struct service *service;
	struct dest *dest;
	struct plan *plan;
	__u32 *row, id;

	if (!pkt || !choice || pkt->protocol != IPPROTO_UDP || pkt->is_error || pkt->is_fragment)
		return 0;
	key.address = pkt->key.src;
	key.port = pkt->key.sport;
	key.protocol = IPPROTO_UDP;
	row = bpf_map_lookup_elem(&nat_servers, &key);
	dest = row ? bpf_map_lookup_elem(&dests, row) : NULL;
	if (!dest || !(dest->flags & DEST_LISTED))
		return 0;
	choice->dest = *row;
	choice->port = pkt->key.sport;
	id = dest->service;
	service = bpf_map_lookup_elem(&services, &id);
	if (!service || !service->port)
		return 0;
	plan = service_plan(service);
	if (!(plan->flags & PLAN_SIP) || !sip_find(ctx, pkt))
		return 0;
	caller_turn(pkt, service);
	if (plan->timeout_s && !persist_name(pkt, service, plan, choice))
		return 0;
	return id;
}

#endif
