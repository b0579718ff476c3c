/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locality-based least connection with replication: a destination has a set of servers. As wlc among those of the set; if
 * that one has more active connections than its weight and somebody could help, as wlc among all, and that one joins the
 * set. A set of several that has not changed for lblcr_expiration loses the one with the most load for its weight, one
 * that was removed before all others (net/netfilter/ipvs/ip_vs_lblcr.c).
 *
 * A set changes under a lock that nobody waits for: who finds it taken leaves the set as it is.
 */
#ifndef BPVS_SCHED_LBLCR_H
#define BPVS_SCHED_LBLCR_H

#include "cache.h"
#include "wlc.h"

/* A search among members. */
struct set {
	struct member_key key;
	struct scan scan;
	__u32 count; /* of members */
	__u32 worst; /* index of a member, or NO_SERVER */
	__u32 joins; /* place of a server that may be a member; NO_SERVER once it is found to be */
};

struct set_walk {
	const struct plan *plan;
	struct set *set;
};

/* Where a CPU notes what it searches for: the stack has no room for it. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct set);
} sets SEC(".maps");

static __always_inline struct set *set_get(const struct plan *plan, const struct packet *pkt)
{
	__u32 zero = 0;
	struct set *set = bpf_map_lookup_elem(&sets, &zero);

	if (!set)
		return NULL;
	cache_key_of(&set->key, plan, pkt);
	set->scan = scan_of(plan);
	set->worst = NO_SERVER;
	return set;
}

/* The member at that index, counted from the newest. */
static __always_inline struct member *set_member(struct set *set, __u32 step)
{
	set->key.index = set->count - 1 - step;
	return bpf_map_lookup_elem(&members, &set->key);
}

static long set_best_step(__u32 step, struct set_walk *walk)
{
	struct set *set = walk->set;
	__u32 place = member_place(walk->plan, set_member(set, step));
	struct server *server;
	struct dest *dest = place == NO_SERVER ? NULL : scan_look(&set->scan, place, &server);

	if (dest)
		scan_offer(&set->scan, place, load_cost(dest), server->weight);
	return 0;
}

static __always_inline bool set_lock(struct cached *entry)
{
	return !__sync_val_compare_and_swap(&entry->busy, 0, 1);
}

static __always_inline void set_unlock(struct cached *entry)
{
	__sync_val_compare_and_swap(&entry->busy, 1, 0);
}

static long set_worst_step(__u32 step, struct set_walk *walk)
{
	struct set *set = walk->set;
	__u32 place = member_place(walk->plan, set_member(set, step));
	struct server *server = place == NO_SERVER ? NULL : server_at(set->scan.first, place);
	struct dest *dest = server ? server_dest(server) : NULL;
	__u64 cost;

	if (!dest) {
		set->worst = set->key.index;
		return 1;
	}
	cost = load_cost(dest);
	if (!server->weight || (set->worst != NO_SERVER && cost * set->scan.weight <= set->scan.cost * server->weight))
		return 0;
	set->worst = set->key.index;
	set->scan.cost = cost;
	set->scan.weight = server->weight;
	return 0;
}

/* Those behind the one that leaves move up. */
static long set_close_step(__u32 step, struct set_walk *walk)
{
	struct set *set = walk->set;
	struct member copy, *member;

	set->key.index = set->worst + step + 1;
	member = bpf_map_lookup_elem(&members, &set->key);
	if (!member)
		return 1;
	copy = *member;
	set->key.index--;
	bpf_map_update_elem(&members, &set->key, &copy, BPF_ANY);
	return 0;
}

static __always_inline bool set_is_old(const struct cached *entry)
{
	struct settings *settings = settings_get();
	__u32 age = clock_since(entry->modified, clock_ms(clock_ns()));

	return entry->count > 1 && settings && age > clock_ms(settings->vs.lblcr_expiration * NS_PER_S);
}

/* Takes the member with the most load for its weight out of an old set. Not static, like the next two: verified once. */
__noinline int set_shrink(const struct plan *plan, const struct packet *pkt, struct cached *entry)
{
	struct set_walk walk = { .plan = plan };
	struct set *set;

	if (!plan || !pkt || !entry || !set_is_old(entry))
		return 0;
	set = walk.set = set_get(plan, pkt);
	if (!set || !set_lock(entry))
		return 0;
	set->count = entry->count;
	bpf_loop(set->count, set_worst_step, &walk, 0);
	if (set->count > 1 && set->worst < set->count) {
		bpf_loop(set->count - set->worst - 1, set_close_step, &walk, 0);
		set->key.index = set->count - 1;
		bpf_map_delete_elem(&members, &set->key);
		entry->count = set->count - 1;
		entry->modified = clock_ms(clock_ns());
	}
	set_unlock(entry);
	return 0;
}

static long set_has_step(__u32 step, struct set_walk *walk)
{
	struct set *set = walk->set;
	struct member *member = set_member(set, step);

	if (!member || !member_is(member, server_at(set->scan.first, set->joins)))
		return 0;
	set->joins = NO_SERVER;
	return 1;
}

/* Makes the server at that place a member if it is none. */
__noinline int set_join(const struct plan *plan, const struct packet *pkt, struct cached *entry, __u32 place)
{
	struct set_walk walk = { .plan = plan };
	struct set *set;

	if (!plan || !pkt || !entry)
		return 0;
	set = walk.set = set_get(plan, pkt);
	if (!set || !set_lock(entry))
		return 0;
	set->count = entry->count;
	set->joins = place;
	bpf_loop(set->count, set_has_step, &walk, 0);
	set->key.index = set->count;
	if (set->joins != NO_SERVER && member_write(plan, &set->key, place)) {
		entry->count = set->count + 1;
		entry->modified = clock_ms(clock_ns());
	}
	set_unlock(entry);
	return 0;
}

/* The place of the least loaded member, or NO_SERVER. */
__noinline __u32 set_best(const struct plan *plan, const struct packet *pkt, const struct cached *entry)
{
	struct set_walk walk = { .plan = plan };

	if (!plan || !pkt || !entry)
		return NO_SERVER;
	walk.set = set_get(plan, pkt);
	if (!walk.set)
		return NO_SERVER;
	walk.set->count = entry->count;
	bpf_loop(entry->count, set_best_step, &walk, 0);
	return walk.set->scan.best;
}

__noinline __u32 sched_lblcr(const struct plan *plan, const struct packet *pkt)
{
	struct cached *entry;
	__u32 place;

	if (!plan || !pkt)
		return NO_SERVER;
	entry = cache_find(plan, pkt);
	if (entry) {
		entry->used = clock_ms(clock_ns());
		place = set_best(plan, pkt, entry);
		set_shrink(plan, pkt, entry);
		if (place != NO_SERVER && !cache_is_busy(plan, place))
			return place;
	}
	place = sched_wlc(plan);
	if (place == NO_SERVER)
		return place;
	if (entry)
		set_join(plan, pkt, entry, place);
	else
		cache_begin(plan, pkt, place);
	return place;
}

#endif
