/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors from the director to the sender of a packet that it does not forward, as IPVS sends them: from the address
 * that the packet was for (to a NAT server: from the director's own toward it), with the packet's headers inside. The
 * packet itself is turned into the answer and goes back the way it came. At most ANSWERS_PER_SECOND, as the kernel's icmp_msgs_per_sec.
 */
#ifndef BPVS_ANSWER_H
#define BPVS_ANSWER_H

#include "clock.h"
#include "csum.h"
#include "limit.h"
#include "maps.h"
#include "parse.h"
#include "stray.h"

#define ANSWERS_PER_SECOND 1000
#define ANSWER_TTL 64
#define ANSWER_TOS 0xc0   /* internetwork control, as the kernel's own ICMP errors */
#define QUOTE_LONGEST 128 /* bytes of the packet that are sent back, from its IP header on */

static __always_inline bool is_answered(const struct packet *pkt, enum verdict verdict)
{
	if (pkt->is_error || pkt->is_fragment)
		return false;
	if (verdict == DROP_NO_ROUTE)
		return pkt->direction == DIR_IN;
	return verdict == DROP_NO_SERVER || verdict == DROP_TTL || verdict == DROP_TOO_BIG || verdict == DROP_STRAY;
}

static __always_inline bool answer_allowed(void)
{
	struct runtime *runtime = runtime_get();

	return runtime && limit_take(&runtime->answers, &runtime->answers_since, ANSWERS_PER_SECOND);
}

#ifdef HOOK_XDP
static __always_inline bool answer_write(hook_ctx *ctx, struct packet *pkt, enum verdict verdict)
{
	(void)ctx, (void)pkt, (void)verdict;
	return false;
}

static __always_inline int answer_send(hook_ctx *ctx, const struct packet *pkt)
{
	(void)ctx, (void)pkt;
	return XDP_PASS;
}
#else

/* What stands between the Ethernet header and the quoted packet. */
struct answer_ipv4 {
	struct iphdr ip;
	struct icmp_header icmp;
};

struct answer_ipv6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
};

static __always_inline void answer_icmp(struct icmp_header *icmp, const struct packet *pkt, enum verdict verdict)
{
	bool ipv4 = pkt->family == FAMILY_IPV4;

	if (verdict == DROP_NO_SERVER || verdict == DROP_STRAY) { /* port unreachable */
		icmp->type = ipv4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE;
		icmp->code = ipv4 ? 3 : 4;
	} else if (verdict == DROP_NO_ROUTE) { /* host unreachable */
		icmp->type = ipv4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE;
		icmp->code = ipv4 ? 1 : 3;
	} else if (verdict == DROP_TTL) { /* exceeded in transit */
		icmp->type = ipv4 ? ICMP_EXPIRED : ICMPV6_EXPIRED;
	} else { /* fragmentation needed, packet too big */
		icmp->type = ipv4 ? ICMP_UNREACHABLE : ICMPV6_TOO_BIG;
		icmp->code = ipv4 ? 4 : 0;
		icmp->rest = bpf_htonl(pkt->mtu);
	}
}

static __always_inline __u64 sum_packet(hook_ctx *ctx, __u32 from, __u32 size)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < QUOTE_LONGEST; i += 2) {
		__u16 *word = packet_at(ctx, from + i, sizeof(*word));

		if (i >= size || !word)
			break;
		sum += *word;
	}
	return sum;
}

/* Lets the answer come from the director itself; false where it has no way to the server. */
static __always_inline bool answer_as_director(const struct packet *pkt, __be32 *ipv4, struct in6_addr *ipv6)
{
	const struct dest *server = stray_server(pkt);

	if (!server || address_is_none(&server->tunnel.source))
		return false;
	if (ipv4)
		*ipv4 = server->tunnel.source.word[3];
	else
		__builtin_memcpy(ipv6, &server->tunnel.source, sizeof(*ipv6));
	return true;
}

/* Cuts the packet behind the quote and puts the headers before it; the frame goes back to its sender. */
static __always_inline bool answer_build(hook_ctx *ctx, __u32 end, const void *headers, __u32 size)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct frame back;

	if (!frame)
		return false;
	back.dst = frame->src;
	back.src = frame->dst;
	back.protocol = frame->protocol;
	return !bpf_skb_change_tail(ctx, end, 0) && !bpf_skb_change_head(ctx, size, 0) &&
	       !bpf_skb_store_bytes(ctx, 0, &back, sizeof(back), 0) &&
	       !bpf_skb_store_bytes(ctx, sizeof(back), headers, size, 0);
}

static __always_inline bool answer_ipv4(hook_ctx *ctx, const struct packet *pkt, enum verdict verdict, __u32 quote)
{
	struct iphdr *ip = packet_at(ctx, pkt->l3, sizeof(*ip));
	struct answer_ipv4 answer = {};

	if (!ip || (verdict == DROP_TOO_BIG && !(ip->frag_off & bpf_htons(IPV4_DONT_FRAGMENT))))
		return false;
	answer.ip.version = 4;
	answer.ip.ihl = 5;
	answer.ip.tos = ANSWER_TOS;
	answer.ip.tot_len = bpf_htons(sizeof(answer.ip) + sizeof(answer.icmp) + quote);
	answer.ip.ttl = ANSWER_TTL;
	answer.ip.protocol = IPPROTO_ICMP;
	answer.ip.saddr = ip->daddr;
	answer.ip.daddr = ip->saddr;
	if (verdict == DROP_STRAY && !answer_as_director(pkt, &answer.ip.saddr, NULL))
		return false;
	answer.ip.check = ~csum_fold16(csum_words(&answer.ip, sizeof(answer.ip)));
	answer_icmp(&answer.icmp, pkt, verdict);
	answer.icmp.check =
		~csum_fold16(csum_words(&answer.icmp, sizeof(answer.icmp)) + sum_packet(ctx, pkt->l3, quote));
	return answer_build(ctx, pkt->l3 + quote, &answer, sizeof(answer));
}

static __always_inline bool answer_ipv6(hook_ctx *ctx, const struct packet *pkt, enum verdict verdict, __u32 quote)
{
	struct ipv6hdr *ip = packet_at(ctx, pkt->l3, sizeof(*ip));
	struct answer_ipv6 answer = {};
	__u32 length = sizeof(answer.icmp) + quote;
	__u64 sum = length >> 16;

	if (!ip)
		return false;
	answer.ip.version = 6;
	answer.ip.payload_len = bpf_htons(length);
	answer.ip.nexthdr = IPPROTO_ICMPV6;
	answer.ip.hop_limit = ANSWER_TTL;
	answer.ip.saddr = ip->daddr;
	answer.ip.daddr = ip->saddr;
	if (verdict == DROP_STRAY && !answer_as_director(pkt, NULL, &answer.ip.saddr))
		return false;
	answer_icmp(&answer.icmp, pkt, verdict);
	sum += csum_words(&answer.ip.saddr, 2 * sizeof(answer.ip.saddr)) + bpf_htons(length) +
	       bpf_htons(IPPROTO_ICMPV6);
	sum += csum_words(&answer.icmp, sizeof(answer.icmp)) + sum_packet(ctx, pkt->l3, quote);
	answer.icmp.check = ~csum_fold16(sum);
	return answer_build(ctx, pkt->l3 + quote, &answer, sizeof(answer));
}

/* Turns the packet into the answer; false where that is not allowed. Not static: verified once. */
__noinline int answer_write(hook_ctx *ctx, struct packet *pkt, __u32 verdict)
{
	__u32 quote;

	if (!pkt || !answer_allowed())
		return false;
	/* SCTP looks for the tag in a quoted INIT, which ends where a TCP header does (RFC 9260 section 10) */
	quote = pkt->l4 - pkt->l3 +
		(pkt->protocol == IPPROTO_UDP || pkt->is_quoted ? sizeof(struct udphdr) : sizeof(struct tcphdr));
	if (quote > pkt->length)
		quote = pkt->length;
	if (quote > QUOTE_LONGEST)
		return false;
	hook_pull_to(ctx, pkt->l3 + quote);
	return pkt->family == FAMILY_IPV4 ? answer_ipv4(ctx, pkt, verdict, quote)
					  : answer_ipv6(ctx, pkt, verdict, quote);
}

static __always_inline int answer_send(hook_ctx *ctx, const struct packet *pkt)
{
	return pkt->from_local_client ? hook_send_local(ctx) : hook_send_back(ctx, pkt);
}

#endif
#endif
