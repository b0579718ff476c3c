/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a NAT server sends from the port on which it serves, but of no connection: with nat_icmp_send it is refused, so
 * that the server gives the connection up, which its client would know from nobody (IPVS: ip_vs_out_hook). RST and ABORT
 * pass, as does whatever it sends from other ports.
 */
#ifndef BPVS_STRAY_H
#define BPVS_STRAY_H

#include "maps.h"
#include "packet.h"

/* The server that the packet comes from, or NULL. One of a service by mark is there under no protocol. */
static __noinline struct dest *stray_server(const struct packet *pkt)
{
	struct service_key key = {};
	__u32 *row;

	if (!pkt)
		return NULL;
	key.address = pkt->key.src;
	key.port = pkt->key.sport;
	key.protocol = pkt->key.protocol;
	row = bpf_map_lookup_elem(&nat_servers, &key);
	if (!row) {
		key.protocol = 0;
		row = bpf_map_lookup_elem(&nat_servers, &key);
	}
	return row ? bpf_map_lookup_elem(&dests, row) : NULL;
}

/* Is the packet one to be refused? It has no connection. */
static __always_inline bool is_stray(const struct packet *pkt, const struct vs *vs)
{
	if (!vs->nat_icmp_send || pkt->is_error || pkt->is_fragment || pkt->from_local_client)
		return false;
	if (pkt->protocol == IPPROTO_TCP ? pkt->tcp_flags & TCP_RST : pkt->sctp_event == CHUNK_ABORT)
		return false;
	return stray_server(pkt);
}

#endif
