/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments: the first one of a datagram has the ports, so it leaves them for those that follow. One that comes before
 * the first waits in the siding and then tries again, for a while.
 */
#ifndef BPVS_FRAGMENT_H
#define BPVS_FRAGMENT_H

#include "clock.h"
#include "maps.h"
#include "packet.h"

/* units of clock_ms() */
#define FRAGMENT_KEPT 30000 /* as long as the kernel waits (net.ipv4.ipfrag_time) */
#define FRAGMENT_WAIT 200   /* that a fragment waits for the first one of its datagram */

static __always_inline void fragment_key(const struct packet *pkt, struct fragment_key *key)
{
	key->src = pkt->key.src;
	key->dst = pkt->key.dst;
	key->id = pkt->fragment_id;
	key->protocol = pkt->part_protocol;
}

/* A first fragment tells the ports, and the protocol where extension headers come between. */
static __noinline int fragment_note(const struct packet *pkt)
{
	struct fragment_key key = {};
	struct fragment fragment = {};

	if (!pkt)
		return 0;
	fragment_key(pkt, &key);
	fragment.sport = pkt->key.sport;
	fragment.dport = pkt->key.dport;
	fragment.protocol = pkt->protocol;
	fragment.until = clock_ms(clock_ns()) + FRAGMENT_KEPT;
	return bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
}

/* A later one looks them up; false if the first has not come. */
static __noinline bool fragment_find(struct packet *pkt)
{
	struct fragment_key key = {};
	struct fragment *fragment;

	if (!pkt)
		return false;
	fragment_key(pkt, &key);
	fragment = bpf_map_lookup_elem(&fragments, &key);
	if (!fragment || (__s32)(fragment->until - clock_ms(clock_ns())) < 0)
		return false;
	pkt->protocol = fragment->protocol;
	pkt->key.sport = fragment->sport;
	pkt->key.dport = fragment->dport;
	return true;
}

/* A first fragment that leaves no connection tells where it went. */
static __noinline int fragment_lead(const struct packet *pkt, __u32 dest, __be16 port)
{
	struct fragment_key key = {};
	struct fragment *fragment;

	if (!pkt)
		return 0;
	fragment_key(pkt, &key);
	fragment = bpf_map_lookup_elem(&fragments, &key);
	if (!fragment)
		return 0;
	fragment->server_port = port;
	fragment->dest = dest;
	return 0;
}

/* A later one asks where; false if there is no first that told. */
static __noinline bool fragment_recall(const struct packet *pkt, __u32 *dest, __be16 *port)
{
	struct fragment_key key = {};
	struct fragment *fragment;

	if (!pkt || !dest || !port)
		return false;
	fragment_key(pkt, &key);
	fragment = bpf_map_lookup_elem(&fragments, &key);
	if (!fragment || !fragment->dest)
		return false;
	*port = fragment->server_port;
	*dest = fragment->dest;
	return true;
}

#endif
