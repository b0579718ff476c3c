/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtual services: found by protocol, address and port; the plan in force is read once per new connection. */
#ifndef BPVS_SERVICE_H
#define BPVS_SERVICE_H

#include "maps.h"
#include "packet.h"

#define FTP_DATA_PORT 20 /* connections from here belong to FTP sessions; IPVS never schedules them */

/* As IPVS's hooks, the director rests while the packet's family has no virtual service. */
static __always_inline bool service_any(const struct packet *pkt, const struct settings *settings)
{
	return pkt->family == FAMILY_IPV4 ? settings->services_ipv4 : settings->services_ipv6;
}

static __always_inline struct service *service_find(const struct packet *pkt)
{
	struct service_key key = { .address = pkt->key.dst, .port = pkt->key.dport, .protocol = pkt->key.protocol };
	__u32 *id = bpf_map_lookup_elem(&service_ids, &key);

	struct service *service = id ? bpf_map_lookup_elem(&services, id) : NULL;

	return service && service->family ? service : NULL;
}

static __always_inline struct plan *service_plan(struct service *service)
{
	return service->current & 1 ? &service->plan[1] : &service->plan[0];
}

/* May this packet start a connection? TCP needs SYN without RST, where ACK does not matter; SCTP needs INIT. */
static __always_inline bool packet_opens(const struct packet *pkt)
{
	if (pkt->is_fragment || pkt->key.sport == bpf_htons(FTP_DATA_PORT))
		return false;
	if (pkt->protocol == IPPROTO_SCTP)
		return pkt->sctp_event == CHUNK_INIT;
	return pkt->protocol == IPPROTO_UDP || (pkt->tcp_flags & (TCP_SYN | TCP_RST)) == TCP_SYN;
}

#endif
