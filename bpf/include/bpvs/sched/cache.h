/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lblc and lblcr remember of a destination: `cached` has an entry for it, `members` its servers, counted from 0, the
 * oldest first. Both are keyed by the plan's generation, so nobody inherits what another service left. Entries that are
 * not used are forgotten by the housekeeper (forget.h).
 *
 * A member is a server's address and port, however often it was removed and added again; its place in the list is a
 * hint.
 */
#ifndef BPVS_SCHED_CACHE_H
#define BPVS_SCHED_CACHE_H

#include "../clock.h"
#include "../packet.h"
#include "list.h"

struct search {
	const struct plan *plan;
	const struct member *member;
	__u32 from;
	__u32 found; /* place, or NO_SERVER */
};

/* A server that has not half of the active connections of its weight. */
struct relief {
	__u32 first; /* row of `servers` */
	__u32 found; /* 0: there is none */
};

static __always_inline void cache_key_of(struct member_key *key, const struct plan *plan, const struct packet *pkt)
{
	key->cache.destination = pkt->key.dst;
	key->cache.generation = plan->generation;
	key->index = 0;
}

/* The destination's entry, or NULL. A function of its own: the key is off the stack again when servers are looked at. */
static __noinline struct cached *cache_find(const struct plan *plan, const struct packet *pkt)
{
	struct member_key key;

	if (!plan || !pkt)
		return NULL;
	cache_key_of(&key, plan, pkt);
	return bpf_map_lookup_elem(&cached, &key.cache);
}

/* Its oldest member, or NULL. */
static __noinline struct member *cache_member(const struct plan *plan, const struct packet *pkt)
{
	struct member_key key;

	if (!plan || !pkt)
		return NULL;
	cache_key_of(&key, plan, pkt);
	return bpf_map_lookup_elem(&members, &key);
}

static __always_inline bool member_is(const struct member *member, const struct server *server)
{
	return server && member->port == server->port && address_equal(&member->address, &server->address);
}

static long search_step(__u32 index, struct search *search)
{
	__u32 place = search->from + index;

	if (place >= search->plan->count || !member_is(search->member, server_at(search->plan->first, place)))
		return 0;
	search->found = place;
	return 1;
}

/*
 * A member's place in the list, or NO_SERVER: it was removed. It is looked for where it was and on both sides, where most
 * changes of a list leave it, then everywhere. Not static: verified once.
 */
__noinline __u32 member_place(const struct plan *plan, struct member *member)
{
	struct search search = { .plan = plan, .member = member, .found = NO_SERVER };

	if (!plan || !member)
		return NO_SERVER;
	search.from = member->place - 1;
	bpf_loop(3, search_step, &search, 0);
	if (search.found == NO_SERVER) {
		search.from = 0;
		bpf_loop(plan->count, search_step, &search, 0);
	}
	if (search.found != NO_SERVER)
		member->place = search.found;
	return search.found;
}

static long relief_step(__u32 place, struct relief *relief)
{
	struct server *server = server_at(relief->first, place);
	struct dest *dest = server ? server_dest(server) : NULL;

	relief->found = dest && 2ULL * dest->active < server->weight;
	return relief->found;
}

/* Has the server at that place more active connections than its weight, and could another one help? */
__noinline bool cache_is_busy(const struct plan *plan, __u32 place)
{
	struct relief relief = {};
	struct server *server;
	struct dest *dest;

	if (!plan)
		return false;
	relief.first = plan->first;
	server = server_at(plan->first, place);
	dest = server ? server_dest(server) : NULL;
	if (!dest || dest->active <= server->weight)
		return false;
	bpf_loop(plan->count, relief_step, &relief, 0);
	return relief.found;
}

/* Writes a member; false: no room. */
static __always_inline bool member_write(const struct plan *plan, const struct member_key *key, __u32 place)
{
	struct server *server = server_at(plan->first, place);
	struct member member = {};

	if (!server)
		return false;
	member.address = server->address;
	member.port = server->port;
	member.place = place;
	return !bpf_map_update_elem(&members, key, &member, BPF_ANY);
}

/* Makes that server the only member, in a new entry if there is none; without room it is not remembered. */
__noinline int cache_begin(const struct plan *plan, const struct packet *pkt, __u32 place)
{
	struct cached fresh = { .count = 1 };
	struct member_key key;
	struct service *service;
	__u32 row;

	if (!plan || !pkt)
		return 0;
	cache_key_of(&key, plan, pkt);
	if (bpf_map_lookup_elem(&cached, &key.cache))
		return member_write(plan, &key, place);
	row = plan->generation % MAX_SERVICES;
	service = bpf_map_lookup_elem(&services, &row);
	if (!service || service->cached >= CACHE_LIMIT || !member_write(plan, &key, place))
		return 0;
	fresh.used = fresh.modified = clock_ms(clock_ns());
	if (!bpf_map_update_elem(&cached, &key.cache, &fresh, BPF_NOEXIST))
		__sync_fetch_and_add(&service->cached, 1);
	return 1;
}

#endif
