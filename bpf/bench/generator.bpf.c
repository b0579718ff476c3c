/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic for the benchmarks. Each run takes the next frame of a list, makes it a new flow's if asked to, and
 *
 *	generate	sends it into an interface; run with live frames
 *	replay_*	hands it to a program, which is under test, by tail call
 *
 * A frame is written whole each time, for whoever had it before has changed it.
 */
#include "frame.h"
#include <linux/pkt_cls.h>

#define MAX_FRAMES 1024
#define FIRST_PORT 1024
#define PORTS 32768

/* One frame in words; the tail is as long as the family's headers need. */
struct frame {
	__u64 words[10];
};

/* What to send; the benchmark writes all but `next`. */
struct job {
	__u32 ifindex; /* generate: where to */
	__u32 mask;    /* frames in the list - 1; their number is a power of two */
	__u32 is_ipv6;
	__u32 new_flows; /* 1: frame number n gets the n-th client address and port, which are 0 in the list */
	__u32 next;      /* frames made so far */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_FRAMES);
	__type(key, __u32);
	__type(value, struct frame);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct job);
} job SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target_xdp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target_tc SEC(".maps");

static __always_inline void add_to_check(__u16 *check, __u32 added)
{
	__u32 sum = (__u16) ~*check + added;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~sum;
}

/* The n-th client: low 16 bits of the address, and the port. */
static __always_inline void make_client(__u8 *data, __u32 n, bool is_ipv6)
{
	__u16 host = bpf_htons(n / PORTS), port = bpf_htons(FIRST_PORT + n % PORTS);

	if (is_ipv6) {
		*(__u16 *)(data + 36) = host;
		*(__u16 *)(data + 54) = port;
		add_to_check((__u16 *)(data + 70), (__u32)host + port);
	} else {
		*(__u16 *)(data + 28) = host;
		*(__u16 *)(data + 34) = port;
		add_to_check((__u16 *)(data + 24), host);
		add_to_check((__u16 *)(data + 50), (__u32)host + port);
	}
}

static __always_inline struct job *frame_write(void *start, void *end)
{
	__u32 zero = 0, key, n;
	struct job *todo = bpf_map_lookup_elem(&job, &zero);
	struct frame *frame;
	__u64 *to = start;

	if (!todo)
		return NULL;
	n = todo->next++;
	key = n & todo->mask;
	frame = bpf_map_lookup_elem(&frames, &key);
	if (!frame || start + IPV4_BYTES > end)
		return NULL;
	for (int i = 0; i < IPV4_BYTES / 8; i++)
		to[i] = frame->words[i];
	if (!todo->is_ipv6) {
		*(__u32 *)(to + 7) = frame->words[7];
		if (todo->new_flows)
			make_client(start, n, false);
		return todo;
	}
	if (start + IPV6_BYTES > end)
		return NULL;
	to[7] = frame->words[7];
	to[8] = frame->words[8];
	*(__u16 *)(to + 9) = frame->words[9];
	if (todo->new_flows)
		make_client(start, n, true);
	return todo;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct job *todo = frame_write((void *)(long)ctx->data, (void *)(long)ctx->data_end);

	return todo ? (int)bpf_redirect(todo->ifindex, 0) : XDP_ABORTED;
}

SEC("xdp")
int replay_xdp(struct xdp_md *ctx)
{
	if (frame_write((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &target_xdp, 0);
	return XDP_ABORTED;
}

SEC("tc")
int replay_tc(struct __sk_buff *ctx)
{
	if (frame_write((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		bpf_tail_call(ctx, &target_tc, 0);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
