/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of the programs on a real server. All are pinned; together they are the agent's only state. */
#ifndef BPVS_REALSERVER_MAPS_H
#define BPVS_REALSERVER_MAPS_H

#include "abi.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Settings, one row. `bpvs realserver up` writes, the programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct agent_settings);
} agent_settings SEC(".maps");

/* The virtual addresses of this real server, and which of them are ours to remove. Commands write, TC reads. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct address);
	__type(value, struct vip);
} vips SEC(".maps");

/* Interfaces by index, and what `down` has to undo there. Commands only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct device);
} devices SEC(".maps");

/* Whose tunnels are ended. Commands write, TC reads. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_PREFIXES);
	__type(key, struct prefix);
	__type(value, __u32);
} tunnel_from SEC(".maps");

/* Whose TOA is believed. Commands write, sock_ops reads. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_PREFIXES);
	__type(key, struct prefix);
	__type(value, __u32);
} toa_from SEC(".maps");

/* The clients that TOA told, kept in their sockets. sock_ops writes, getpeername reads; ends with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct toa_client);
} clients SEC(".maps");

/* Packets by enum fate. The programs count, `bpvs realserver status` reads. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FATE_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} fates SEC(".maps");

/* Holds the index of `lo` until the network namespace ends, as the map of the same name in housekeeper.bpf.c. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} alive SEC(".maps");

static __always_inline struct agent_settings *agent_settings_get(void)
{
	__u32 row = 0;

	return bpf_map_lookup_elem(&agent_settings, &row);
}

static __always_inline void count_fate(__u32 fate)
{
	__u64 *count = bpf_map_lookup_elem(&fates, &fate);

	if (count)
		(*count)++;
}

#endif
