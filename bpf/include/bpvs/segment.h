/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns a packet into another TCP segment of the director's own making: same frame, new IP and TCP header, no payload.
 * What the packet was must have been read before.
 */
#ifndef BPVS_SEGMENT_H
#define BPVS_SEGMENT_H

#include "csum.h"
#include "maps.h"
#include "packet.h"
#include "tcp_option.h"

#define SEGMENT_TTL 64
#define SEGMENT_OPTIONS 5 /* words at most */

struct segment {
	struct address src;
	struct address dst;
	__be16 sport;
	__be16 dport;
	__u32 seq;
	__u32 ack;
	__u16 window; /* as it stands in the header */
	__u8 flags;
	__u8 words; /* of options */
	__be32 options[SEGMENT_OPTIONS];
	/* what becomes of it */
	struct tcphdr tcp;
	struct iphdr ipv4;
	struct ipv6hdr ipv6;
};

/* Where a CPU puts a segment together: the stack has no room for it. Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct segment);
} segments SEC(".maps");

static __always_inline struct segment *segment_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&segments, &zero);
}

/* An empty one with those ends. */
static __always_inline struct segment *segment_new(const struct address *src, const struct address *dst, __be16 sport,
						   __be16 dport, __u8 flags)
{
	struct segment *segment = segment_get();

	if (!segment)
		return NULL;
	__builtin_memset(segment, 0, sizeof(*segment));
	segment->src = *src;
	segment->dst = *dst;
	segment->sport = sport;
	segment->dport = dport;
	segment->flags = flags;
	return segment;
}

static __always_inline __u32 segment_tcp_size(const struct segment *segment)
{
	return sizeof(struct tcphdr) + segment->words * sizeof(__be32);
}

static __always_inline void segment_fill(struct segment *segment)
{
	struct tcphdr *tcp = &segment->tcp;

	tcp->source = segment->sport;
	tcp->dest = segment->dport;
	tcp->seq = bpf_htonl(segment->seq);
	tcp->ack_seq = bpf_htonl(segment->ack);
	((__u8 *)tcp)[12] = segment_tcp_size(segment) << 2;
	((__u8 *)tcp)[13] = segment->flags;
	tcp->window = bpf_htons(segment->window);
}

/* Sum over addresses, length and protocol; the ffff of mapped IPv4 addresses counts as nothing. */
static __always_inline __u64 segment_pseudo(const struct segment *segment, __u32 size)
{
	return csum_words(&segment->src, sizeof(segment->src)) + csum_words(&segment->dst, sizeof(segment->dst)) +
	       bpf_htons(size) + bpf_htons(IPPROTO_TCP);
}

static __always_inline void segment_ipv4(hook_ctx *ctx, __u32 l3, struct segment *segment, __u32 size)
{
	struct iphdr *ip = &segment->ipv4;

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(sizeof(*ip) + size);
	ip->frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	ip->ttl = SEGMENT_TTL;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = segment->src.word[3];
	ip->daddr = segment->dst.word[3];
	ip->check = ~csum_fold16(csum_words(ip, sizeof(*ip)));
	hook_store(ctx, l3, ip, sizeof(*ip));
}

static __always_inline void segment_ipv6(hook_ctx *ctx, __u32 l3, struct segment *segment, __u32 size)
{
	struct ipv6hdr *ip = &segment->ipv6;

	ip->version = 6;
	ip->payload_len = bpf_htons(size);
	ip->nexthdr = IPPROTO_TCP;
	ip->hop_limit = SEGMENT_TTL;
	__builtin_memcpy(&ip->saddr, &segment->src, sizeof(segment->src));
	__builtin_memcpy(&ip->daddr, &segment->dst, sizeof(segment->dst));
	hook_store(ctx, l3, ip, sizeof(*ip));
}

/* Those of a handshake in one go; the others are rare. */
static __always_inline void segment_options(hook_ctx *ctx, __u32 at, struct segment *segment)
{
	if (segment->words == OFFER_WORDS) {
		hook_store(ctx, at, segment->options, OFFER_WORDS * sizeof(__be32));
		return;
	}
	for (__u32 i = 0; i < SEGMENT_OPTIONS && i < segment->words; i++)
		hook_store(ctx, at + i * sizeof(__be32), &segment->options[i], sizeof(__be32));
}

/*
 * Makes pkt the segment that this CPU has put together; false where its frame cannot take the size. Not static: verified
 * once.
 */
__noinline int segment_write(hook_ctx *ctx, struct packet *pkt)
{
	struct segment *segment = segment_get();
	__u32 size, ip, l3;
	__u64 pseudo;
	bool finished;
	__u8 family;

	if (!pkt || !segment)
		return false;
	size = segment_tcp_size(segment);
	ip = pkt->family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	l3 = pkt->l3 & MAX_OFFSET;
	segment_fill(segment);
	pseudo = segment_pseudo(segment, size);
	finished = !hook_is_unfinished(ctx, pkt);
	if (!finished && pkt->l4 != l3 + ip) /* the kernel would finish it in the wrong place */
		return false;
	if (finished)
		segment->tcp.check = ~csum_fold16(pseudo + csum_words(&segment->tcp, sizeof(segment->tcp)) +
						  csum_words(segment->options, sizeof(segment->options)));
	else
		segment->tcp.check = csum_fold16(pseudo);
	family = address_is_ipv4(&segment->dst) ? FAMILY_IPV4 : FAMILY_IPV6;
	if (family != pkt->family && !hook_change_family(ctx, family, 0))
		return false;
	pkt->family = family;
	ip = family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (!hook_resize(ctx, l3 + ip + size))
		return false;
	if (pkt->family == FAMILY_IPV4)
		segment_ipv4(ctx, l3, segment, size);
	else
		segment_ipv6(ctx, l3, segment, size);
	hook_store(ctx, l3 + ip, &segment->tcp, sizeof(segment->tcp));
	segment_options(ctx, l3 + ip + sizeof(segment->tcp), segment);
	pkt->l4 = l3 + ip;
	pkt->payload = pkt->l4 + size;
	pkt->length = ip + size;
	pkt->tcp_flags = segment->flags;
	pkt->ttl = SEGMENT_TTL;
	return true;
}

#endif
