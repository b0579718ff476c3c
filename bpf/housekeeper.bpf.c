/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The housekeeper: what happens without a packet. Two kernel timers, started once when the instance is loaded; they run
 * as long as the map `clocks` is pinned, with no process alive.
 *
 *	expire    walks over all connections about once a second and ends those whose time is over; once a minute
 *	          forgets destinations of lblc and lblcr that are not used, and replaces the older of the two secrets of
 *	          SYN cookies
 *	estimate  brings the rates up to date every two seconds, an eighth of the servers at a time
 */
#include "bpvs/packet.h"
#include "bpvs/conn.h"
#include "bpvs/cookie.h"
#include "bpvs/estimate.h"
#include "bpvs/expire.h"
#include "bpvs/forget.h"
#include "bpvs/maps.h"

#define CLOCK_MONOTONIC 1 /* <time.h> is the C library's */

enum clock {
	CLOCK_EXPIRE,
	CLOCK_ESTIMATE,
	CLOCK_COUNT,
};

struct clock_value {
	struct bpf_timer timer;
};

/* The timers. Pinned: that keeps them running. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLOCK_COUNT);
	__type(key, __u32);
	__type(value, struct clock_value);
} clocks SEC(".maps");

/* Interfaces that carry our programs, by index. Control path only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct attachment);
} attachments SEC(".maps");

/*
 * Row 0 holds the index of `lo`. The kernel empties it when the network namespace ends, and with it `lo`: so anybody
 * can tell from outside whether the instance still has a namespace. Control path only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} alive SEC(".maps");

/* Brings the numbers of abi.h into the BTF, for Python. */
struct numbers {
	enum limits limits;
	enum direction direction;
	enum conn_state conn_state;
	enum conn_bits conn_bits;
	enum method method;
	enum plan_flags plan_flags;
	enum server_flags server_flags;
	enum slot_limits slot_limits;
	enum cache_limits cache_limits;
	enum tunnel_type tunnel_type;
	enum book_limits book_limits;
	enum foreign_flags foreign_flags;
	enum scheduler scheduler;
	enum dest_flags dest_flags;
	enum attachment_flags attachment_flags;
	enum attach_mode attach_mode;
	enum verdict verdict;
	struct service_key service_key;
	struct tunnel tunnel;
	struct spread spread;
	struct template template;
};
const volatile struct numbers numbers SEC(".rodata") = {};

static int on_expire(void *map, __u32 *key, struct clock_value *clock)
{
	(void)map, (void)key;
	forget_some();
	cookie_renew();
	bpf_timer_start(&clock->timer, expire_some(), 0);
	return 0;
}

static int on_estimate(void *map, __u32 *key, struct clock_value *clock)
{
	(void)map, (void)key;
	bpf_timer_start(&clock->timer, estimate_some(), 0);
	return 0;
}

/* Run once, by the loader. */
SEC("tc")
int start_clocks(struct __sk_buff *ctx)
{
	__u32 expire = CLOCK_EXPIRE, estimate = CLOCK_ESTIMATE;
	struct clock_value *clock;

	(void)ctx;
	clock = bpf_map_lookup_elem(&clocks, &expire);
	if (!clock || bpf_timer_init(&clock->timer, &clocks, CLOCK_MONOTONIC) ||
	    bpf_timer_set_callback(&clock->timer, on_expire) || bpf_timer_start(&clock->timer, 0, 0))
		return 1;
	clock = bpf_map_lookup_elem(&clocks, &estimate);
	if (!clock || bpf_timer_init(&clock->timer, &clocks, CLOCK_MONOTONIC) ||
	    bpf_timer_set_callback(&clock->timer, on_estimate) || bpf_timer_start(&clock->timer, 0, 0))
		return 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
