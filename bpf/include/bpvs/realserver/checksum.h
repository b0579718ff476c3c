/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checksums that a tunnel adds, and the one that it may leave to be filled in.
 *
 * A frame from a stack on the same machine (veth) may carry sums that hardware was to finish (CHECKSUM_PARTIAL), which
 * this program cannot be told. Such a sum has a recognisable form, and is taken for right: no wire was there to harm it.
 */
#ifndef BPVS_REALSERVER_CHECKSUM_H
#define BPVS_REALSERVER_CHECKSUM_H

#include "../csum.h"
#include "outer.h"

#define SUM_CHUNK 128  /* bytes summed at a time */
#define SUM_CHUNKS 512 /* 64 KiB, the longest IP packet */

struct summing {
	hook_ctx *ctx;
	__u32 from;
	__u32 to;
	__s64 sum; /* negative: the packet is shorter than [from, to) */
};

static long sum_chunk(__u32 number, struct summing *summing)
{
	__be32 chunk[SUM_CHUNK / sizeof(__be32)] = {};
	__u32 size = summing->to - summing->from;

	(void)number;
	if (summing->from >= summing->to)
		return 1;
	if (size > SUM_CHUNK)
		size = SUM_CHUNK;
	size--; /* Linux 6.1 learns from a mask, not from a comparison with 0, that the size is positive */
	barrier_var(size);
	size = (size & (SUM_CHUNK - 1)) + 1;
	if (bpf_skb_load_bytes(summing->ctx, summing->from, chunk, size)) {
		summing->sum = -1;
		return 1;
	}
	summing->sum = bpf_csum_diff(NULL, 0, chunk, SUM_CHUNK, summing->sum);
	summing->from += size;
	return 0;
}

/* The folded sum of the packet's bytes [from, to), or -1 where it is shorter. Not static: verified once. */
__noinline int sum_bytes(hook_ctx *ctx, __u32 from, __u32 to)
{
	struct summing summing = { .ctx = ctx, .from = from, .to = to };

	bpf_loop(SUM_CHUNKS, sum_chunk, &summing, 0);
	return summing.sum < 0 ? -1 : csum_fold16(summing.sum);
}

/* The stored checksum of an inner TCP or UDP packet and where the sum that it covers begins; false for others. */
static __always_inline bool inner_checksum(hook_ctx *ctx, const struct outer *outer, __u32 *start, __u16 *check)
{
	__u8 protocol;
	__u16 *at;

	if (outer->inner_family == FAMILY_IPV4) {
		struct iphdr *ip = packet_at(ctx, outer->inner, sizeof(*ip));

		if (!ip)
			return false;
		protocol = ip->protocol;
		*start = outer->inner + ip->ihl * 4;
	} else {
		struct ipv6hdr *ip = packet_at(ctx, outer->inner, sizeof(*ip));

		if (!ip)
			return false;
		protocol = ip->nexthdr;
		*start = outer->inner + sizeof(*ip);
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return false;
	at = packet_at(ctx,
		       *start + (protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check)
							 : offsetof(struct udphdr, check)),
		       sizeof(*at));
	if (!at)
		return false;
	*check = *at;
	return true;
}

/* Whether the outer sum was made for an inner checksum that is yet to be filled in (lco_csum() of net/core). */
static __always_inline bool is_sum_of_unfinished(hook_ctx *ctx, const struct outer *outer, __u32 pseudo)
{
	__u32 start;
	__u16 check;
	int sum;

	if (!inner_checksum(ctx, outer, &start, &check) || start > outer->end)
		return false;
	sum = sum_bytes(ctx, outer->l4, start);
	return sum >= 0 && csum_fold16((__u64)pseudo + sum + (__u16)~check) == 0xffff;
}

static __always_inline __u32 udp_pseudo(const struct outer *outer)
{
	__u64 sum = bpf_htons(IPPROTO_UDP) + bpf_htons(outer->end - outer->l4);

	for (int i = 0; i < 4; i++)
		sum += (__u64)outer->src.word[i] + outer->dst.word[i];
	return csum_fold16(sum);
}

/* Is the checksum of the GUE's UDP or of the GRE right, or none there? Merged packets were looked at before. */
static __always_inline bool outer_sum_is_right(hook_ctx *ctx, const struct outer *outer)
{
	__u32 pseudo = 0;
	int sum;

	if (ctx->gso_size)
		return true;
	if (outer->protocol == IPPROTO_UDP) {
		struct udphdr *udp = packet_at(ctx, outer->l4, sizeof(*udp));

		pseudo = udp_pseudo(outer);
		if (!udp || !udp->check || udp->check == pseudo)
			return true;
	} else if (outer->protocol == IPPROTO_GRE) {
		struct gre_header *gre = packet_at(ctx, outer->l4, sizeof(*gre));

		if (!gre || !gre->flags)
			return true;
	} else {
		return true;
	}
	sum = sum_bytes(ctx, outer->l4, outer->end);
	return (sum >= 0 && csum_fold16((__u64)pseudo + sum) == 0xffff) || is_sum_of_unfinished(ctx, outer, pseudo);
}

/* Fills in the inner checksum that the sender left to us: the field holds the sum of the pseudo header until then. */
static __always_inline bool remcsum_finish(hook_ctx *ctx, const struct outer *outer)
{
	__u16 check;
	int sum;

	if (!outer->remcsum_start || ctx->gso_size) /* a merged packet's is made when it is taken apart */
		return true;
	sum = sum_bytes(ctx, outer->remcsum_start, outer->end);
	if (sum < 0)
		return false;
	check = ~sum;
	if (!check) /* to UDP, 0 would mean "none" */
		check = 0xffff;
	return !bpf_skb_store_bytes(ctx, outer->remcsum_offset, &check, sizeof(check), BPF_F_RECOMPUTE_CSUM);
}

#endif
