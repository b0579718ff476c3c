/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual services: found by mark, else by protocol, address and port; the plan in force is read once per new connection.
 */
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

static __always_inline struct service *service_of_key(const struct service_key *key)
{
	__u32 *id = bpf_map_lookup_elem(&service_ids, key);
	struct service *service = id ? bpf_map_lookup_elem(&services, id) : NULL;

	return service && service->family ? service : NULL;
}

/* The service of a packet that opens a connection. A mark that no service has counts for nothing, as in IPVS. */
static __always_inline struct service *service_find(const struct packet *pkt, __u32 mark,
						    const struct settings *settings)
{
	bool any_marked = pkt->family == FAMILY_IPV4 ? settings->marked_ipv4 : settings->marked_ipv6;
	struct service_key key = {};
	struct service *service;

	if (mark && any_marked) {
		key.address = mark_address(pkt->family, mark);
		service = service_of_key(&key);
		if (service)
			return service;
	}
	key.address = pkt->key.dst;
	key.port = pkt->key.dport;
	key.protocol = pkt->key.protocol;
	return service_of_key(&key);
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
