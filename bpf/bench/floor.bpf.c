/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmarks compare with, and the other end of the wire.
 *
 *	reflect_*	the floor: swaps the MAC addresses and sends the frame back
 *	sink_*		counts what comes back, keeps one frame as a sample and drops it
 */
#include "frame.h"
#include <linux/pkt_cls.h>

struct sample {
	__u8 bytes[IPV6_BYTES + 6];
};

/* Frames of ours that came back. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

/* The last frame whose number was a multiple of SAMPLE_EVERY. */
#define SAMPLE_EVERY 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sample);
} sample SEC(".maps");

static __always_inline bool swap_macs(void *data, void *end)
{
	struct ethhdr *eth = data;
	__u8 from[ETH_ALEN];

	if (data + sizeof(*eth) > end)
		return false;
	__builtin_memcpy(from, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, from, ETH_ALEN);
	return true;
}

static __always_inline void sample_take(const void *data, const void *end)
{
	__u32 zero = 0;
	struct sample *to = bpf_map_lookup_elem(&sample, &zero);

	if (to && data + IPV6_BYTES <= end)
		__builtin_memcpy(to->bytes, data, IPV6_BYTES);
	else if (to && data + ANSWER_BYTES <= end)
		__builtin_memcpy(to->bytes, data, ANSWER_BYTES);
	else if (to && data + IPV4_BYTES <= end)
		__builtin_memcpy(to->bytes, data, IPV4_BYTES);
}

static __always_inline void count(const void *data, const void *end)
{
	__u32 zero = 0;
	__u64 *frames = bpf_map_lookup_elem(&arrived, &zero);

	if (!frames || !frame_is_ours(data, end))
		return;
	if (!((*frames)++ % SAMPLE_EVERY))
		sample_take(data, end);
}

SEC("xdp")
int reflect_xdp(struct xdp_md *ctx)
{
	return swap_macs((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_TX : XDP_DROP;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	count((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_DROP;
}

SEC("tc")
int reflect_tc(struct __sk_buff *ctx)
{
	if (!swap_macs((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return TC_ACT_SHOT;
	return bpf_redirect(ctx->ifindex, 0);
}

SEC("tc")
int sink_tc(struct __sk_buff *ctx)
{
	count((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
