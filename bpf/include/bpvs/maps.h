/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map of an instance. Sizes of `conns`, `flows` and `free_slots` are set before loading.
 * The objects of an instance share them by name through the instance's folder in bpffs.
 */
#ifndef BPVS_MAPS_H
#define BPVS_MAPS_H

#include "abi.h"
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Both keys of each connection. Data path writes (insert, delete), data path reads once a packet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MIN_CONNS);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

/* The connections. Data path writes; `ipvsadm -L -c` reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MIN_CONNS);
	__type(key, __u32);
	__type(value, struct conn);
} conns SEC(".maps");

/* Rows of `conns` that were used and are free again, oldest first. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MIN_CONNS);
	__type(value, __u32);
} free_slots SEC(".maps");

/* Finds a service by what it is addressed by. Control path writes, data path reads for each new connection. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct service_key);
	__type(value, __u32);
} service_ids SEC(".maps");

/*
 * Where NAT serves: address, port and protocol of real servers, 0 of services by mark, to the row of `dests`; unless
 * nat_icmp_send is on only those of engine sip. Control path writes, data path reads for packets without a connection.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_DESTS);
	__type(key, struct service_key);
	__type(value, __u32);
} nat_servers SEC(".maps");

/* The virtual services and their plans. Control path writes, data path reads and moves plan.turn. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct service);
} services SEC(".maps");

/* The lists of real servers that plans point into. Control path writes, data path reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVERS);
	__type(key, __u32);
	__type(value, struct server);
} servers SEC(".maps");

/* The lists of local addresses that plans point into. Control path writes, data path reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_LOCALS);
	__type(key, __u32);
	__type(value, struct address);
} locals SEC(".maps");

/* The tables that plans point into. Control path writes, data path reads for each new connection. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SLOT_ROWS);
	__type(key, __u32);
	__type(value, struct slot_row);
} slots SEC(".maps");

/*
 * Destinations that lblc and lblcr remember, and their servers. Data path writes and reads for each new connection, the
 * housekeeper deletes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CACHED);
	__type(key, struct cache_key);
	__type(value, struct cached);
} cached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_MEMBERS);
	__type(key, struct member_key);
	__type(value, struct member);
} members SEC(".maps");

/* Does the plan's scheduler remember destinations? */
static __always_inline bool plan_has_cache(const struct plan *plan)
{
	return plan->scheduler == SCHED_LBLC || plan->scheduler == SCHED_LBLCR;
}

/* The ports of FullNAT. Control path makes and removes books, data path takes ports and gives them back. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_BOOKS);
	__type(key, struct book_key);
	__type(value, struct book);
} books SEC(".maps");

/*
 * Addresses of the table that are not the host's own, and enum foreign_flags. Control path writes; the data path answers
 * questions about them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_LOCALS);
	__type(key, struct address);
	__type(value, __u32);
} foreign SEC(".maps");

/* The ports of datagrams that come in fragments. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_FRAGMENTS);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

/* The Call-IDs of templates, by row of `conns`. Data path and expiry write; `ipvsadm -L -c` reads. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CALL_IDS);
	__type(key, __u32);
	__type(value, struct call_id);
} call_ids SEC(".maps");

/* The real servers' lasting side. Control path writes identity and flags, data path the connection counts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_DESTS);
	__type(key, __u32);
	__type(value, struct dest);
} dests SEC(".maps");

/*
 * Counters of each real server and the next hop toward it. Data path writes, once a packet; listings and the estimator
 * read the counters, the control path clears the hop when another server gets the row.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_DESTS);
	__type(key, __u32);
	__type(value, struct lane);
} traffic SEC(".maps");

/* Rates of the real servers and of the services, in row 0 of all together. The housekeeper writes, listings read, `-Z` clears. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_DESTS);
	__type(key, __u32);
	__type(value, struct rates);
} dest_rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct rates);
} service_rates SEC(".maps");

/* Who is given which mark, two lists, one of them in force. Control path writes, data path reads where it finds no connection. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * MAX_MARK_RULES);
	__type(key, __u32);
	__type(value, struct mark_rule);
} mark_rules SEC(".maps");

/* Control path writes, data path reads. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* Data path writes; listings read conn_high. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct runtime);
} runtime SEC(".maps");

/* Interfaces with XDP, by index: frames for other stations are none of ours. Control path writes, XDP reads each packet. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_STATIONS);
	__type(key, __u32);
	__type(value, struct station);
} stations SEC(".maps");

/* Packets by enum verdict. Data path writes, `bpvs status` reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

static __always_inline struct settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct runtime *runtime_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&runtime, &zero);
}

#endif
