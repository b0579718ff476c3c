/* SPDX-License-Identifier: GPL-2.0-only */
/* The benchmarks' frames: Ethernet, IPv4 or IPv6 without options, TCP; offsets from the start of the frame. */
#ifndef BPVS_BENCH_FRAME_H
#define BPVS_BENCH_FRAME_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IPV4_PROTOCOL_AT 23
#define IPV6_PROTOCOL_AT 20

#define IPV4_BYTES 60   /* 64 on a wire, with the frame check sequence */
#define ANSWER_BYTES 66 /* IPv4 with TCP options: what a SYN is answered with */
#define IPV6_BYTES 74   /* the least that holds the headers */

/* TCP, or a packet in a tunnel. */
static __always_inline bool frame_is_ours(const __u8 *data, const __u8 *end)
{
	const struct ethhdr *eth = (const void *)data;

	if (data + IPV4_BYTES > end)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return data[IPV4_PROTOCOL_AT] == IPPROTO_TCP || data[IPV4_PROTOCOL_AT] == IPPROTO_IPIP;
	return eth->h_proto == bpf_htons(ETH_P_IPV6) && data[IPV6_PROTOCOL_AT] == IPPROTO_TCP;
}

#endif
