/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual services: found by mark, else by protocol, address and port; the plan in force is read once per new connection.
 */
#ifndef BPVS_SERVICE_H
#define BPVS_SERVICE_H

#include "maps.h"
#include "packet.h"

#define FTP_PORT 21
#define FTP_DATA_PORT 20     /* connections from here belong to FTP sessions; IPVS never schedules them */
#define FIRST_USER_PORT 1024 /* FTP servers name one from here on for data */

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

/* By mark, or NULL. A mark that no service has counts for nothing, as in IPVS. */
static __always_inline struct service *service_marked(const struct packet *pkt, __u32 mark,
						      const struct settings *settings)
{
	bool any_marked = pkt->family == FAMILY_IPV4 ? settings->marked_ipv4 : settings->marked_ipv6;
	struct service_key key = {};

	if (!mark || !any_marked)
		return NULL;
	key.address = mark_address(pkt->family, mark);
	return service_of_key(&key);
}

static __always_inline struct service *service_at(const struct packet *pkt, __be16 port)
{
	struct service_key key = { .address = pkt->key.dst, .port = port, .protocol = pkt->key.protocol };

	return service_of_key(&key);
}

/* May it be the data of an FTP session? */
static __always_inline bool is_ftp_data(const struct packet *pkt)
{
	__u16 port = bpf_ntohs(pkt->key.dport);

	return pkt->key.protocol == IPPROTO_TCP && (port == FTP_DATA_PORT || port >= FIRST_USER_PORT);
}

/* The service of a packet that opens a connection, in IPVS's order: its mark, its port, FTP's port, any port. */
static __noinline struct service *service_find(const struct packet *pkt, __u32 mark, const struct settings *settings)
{
	struct service *service;

	if (!pkt || !settings)
		return NULL;
	service = service_marked(pkt, mark, settings);
	if (!service)
		service = service_at(pkt, pkt->key.dport);
	if (!service && settings->ftp && is_ftp_data(pkt))
		service = service_at(pkt, bpf_htons(FTP_PORT));
	if (!service && settings->any_port)
		service = service_at(pkt, 0);
	return service;
}

/* Is it for the port that the service is listed with? One by mark takes them all. */
static __always_inline bool service_is_named(const struct packet *pkt, const struct service *service)
{
	return service->port == pkt->key.dport || !service->protocol;
}

/* Other ports belong to sessions, which only persistence holds together. */
static __always_inline bool service_schedules(const struct packet *pkt, const struct service *service,
					      const struct plan *plan)
{
	return service_is_named(pkt, service) || plan->timeout_s;
}

/* What becomes of a packet for which there is no server. At another port than FTP's it may be for somebody else. */
static __always_inline enum verdict service_refusal(const struct packet *pkt, const struct service *service)
{
	__be16 ftp = bpf_htons(FTP_PORT);

	return service->port == ftp && pkt->key.dport != ftp ? PASS_NO_SERVICE : DROP_NO_SERVER;
}

static __always_inline struct plan *service_plan(struct service *service)
{
	return service->current & 1 ? &service->plan[1] : &service->plan[0];
}

/*
 * May this packet start a connection? TCP needs SYN without RST, where ACK does not matter; SCTP needs INIT. With
 * sloppy_tcp and sloppy_sctp anything will do but RST and ABORT.
 */
static __always_inline bool packet_opens(const struct packet *pkt, const struct vs *vs)
{
	if (pkt->key.sport == bpf_htons(FTP_DATA_PORT))
		return false;
	if (pkt->is_fragment)
		return pkt->is_alone; /* it follows its first one, of which no connection is left */
	if (pkt->is_error)
		return vs->schedule_icmp;
	if (pkt->protocol == IPPROTO_SCTP)
		return pkt->sctp_event == CHUNK_INIT || (vs->sloppy_sctp && pkt->sctp_event != CHUNK_ABORT);
	if (pkt->protocol == IPPROTO_TCP)
		return !(pkt->tcp_flags & TCP_RST) && (pkt->tcp_flags & TCP_SYN || vs->sloppy_tcp);
	return pkt->protocol == IPPROTO_UDP;
}

#endif
