/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the director answers for addresses that are in its table but not the host's own: ARP (RFC 826) and neighbour
 * solicitations (RFC 4861) for local addresses of FullNAT on the link where they belong, echo requests (RFC 792, 4443)
 * for those and for virtual addresses. For addresses of its own the host answers. TC only.
 */
#ifndef BPVS_CLAIM_H
#define BPVS_CLAIM_H

#include "clock.h"
#include "csum.h"
#include "maps.h"
#include "parse.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ARP_ETHERNET 1
#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define NEIGHBOUR_FLAGS 0x60000000  /* solicited, override */
#define NEIGHBOUR_TARGET_MAC 0x0201 /* option: type 2, 8 bytes */
#define ECHO_REQUEST 8
#define ECHOV6_REQUEST 128
#define ECHOV6_REPLY 129
#define ECHO_NOTE 1 /* a first fragment of an echo request leaves it in place of a port */
#define ICMPV6_HOPS 255

struct arp_packet {
	__be16 hardware;
	__be16 protocol;
	__u8 sizes[2]; /* of both kinds of addresses */
	__be16 operation;
	struct mac sender;
	__u16 sender_ip[2];
	struct mac target;
	__u16 target_ip[2];
};

struct neighbour_packet {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 flags;
	struct in6_addr target;
	__be16 option;
	struct mac mac;
};

static __always_inline __u32 foreign_flags(const struct address *address)
{
	struct address key = *address; /* on the stack: Linux 6.1 takes no key from an argument of a global function */
	__u32 *flags = bpf_map_lookup_elem(&foreign, &key);

	return flags ? *flags : 0;
}

/* Does the address belong to the link that the question came from? Then also the MAC address to answer with. */
static __noinline bool claim_is_due(hook_ctx *ctx, const struct packet *pkt, const struct address *target,
				    struct mac *mac)
{
	struct way way = { .src = target, .dst = target, .from = LOOPBACK_IFINDEX };
	struct bpf_fib_lookup fib = {};
	struct station *station;
	__u32 from;
	long answer;

	if (!pkt || !target || !mac || !(foreign_flags(target) & FOREIGN_LOCAL))
		return false;
	fib_ask(&fib, pkt, &way);
	answer = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	from = pkt->from;
	if ((answer && answer != BPF_FIB_LKUP_RET_NO_NEIGH) || fib.ifindex != from)
		return false;
	station = bpf_map_lookup_elem(&stations, &from);
	if (!station || mac_is_zero(&station->mac))
		return false;
	*mac = station->mac;
	return true;
}

static __always_inline void claim_frame(hook_ctx *ctx, const struct mac *to, const struct mac *from)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	if (!frame)
		return;
	frame->dst = *to;
	frame->src = *from;
}

static __always_inline __be32 arp_address(const __u16 halves[2])
{
	return (__u32)halves[1] << 16 | halves[0]; /* memory order, on the machines that BPF is compiled for */
}

/* Not static: verified once. */
__noinline int claim_arp(hook_ctx *ctx, struct packet *pkt)
{
	struct arp_packet *arp = packet_at(ctx, sizeof(struct frame), sizeof(*arp));
	struct address target;
	struct mac mac, asker;
	__u16 asker_ip[2];

	if (!pkt || !arp || arp->hardware != bpf_htons(ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) ||
	    arp->operation != bpf_htons(ARP_REQUEST))
		return false;
	target = address_ipv4(arp_address(arp->target_ip));
	if (!claim_is_due(ctx, pkt, &target, &mac))
		return false;
	arp = packet_at(ctx, sizeof(struct frame), sizeof(*arp));
	if (!arp || !arp_address(arp->sender_ip)) /* a probe (RFC 5227) is for those who have the address */
		return false;
	asker = arp->sender;
	asker_ip[0] = arp->sender_ip[0];
	asker_ip[1] = arp->sender_ip[1];
	arp->operation = bpf_htons(ARP_REPLY);
	arp->sender = mac;
	arp->sender_ip[0] = arp->target_ip[0];
	arp->sender_ip[1] = arp->target_ip[1];
	arp->target = asker;
	arp->target_ip[0] = asker_ip[0];
	arp->target_ip[1] = asker_ip[1];
	claim_frame(ctx, &asker, &mac);
	return true;
}

static __always_inline void neighbour_write(hook_ctx *ctx, struct ipv6hdr *asked, const struct address *target,
					    const struct mac *mac)
{
	struct neighbour_packet answer = { .type = NEIGHBOUR_ADVERTISEMENT, .flags = bpf_htonl(NEIGHBOUR_FLAGS) };
	struct ipv6hdr ip = { .version = 6, .nexthdr = IPPROTO_ICMPV6, .hop_limit = ICMPV6_HOPS };
	__u64 sum = bpf_htons(sizeof(answer)) + bpf_htons(IPPROTO_ICMPV6);

	ip.payload_len = bpf_htons(sizeof(answer));
	__builtin_memcpy(&ip.saddr, target, sizeof(*target));
	ip.daddr = asked->saddr;
	__builtin_memcpy(&answer.target, target, sizeof(*target));
	answer.option = bpf_htons(NEIGHBOUR_TARGET_MAC);
	answer.mac = *mac;
	sum += csum_words(&ip.saddr, 2 * sizeof(ip.saddr)) + csum_words(&answer, sizeof(answer));
	answer.check = ~csum_fold16(sum);
	if (!hook_resize(ctx, sizeof(struct frame) + sizeof(ip) + sizeof(answer)))
		return;
	hook_store(ctx, sizeof(struct frame), &ip, sizeof(ip));
	hook_store(ctx, sizeof(struct frame) + sizeof(ip), &answer, sizeof(answer));
}

/* Not static: verified once. */
__noinline int claim_neighbour(hook_ctx *ctx, struct packet *pkt)
{
	__u32 l4 = sizeof(struct frame) + sizeof(struct ipv6hdr);
	struct neighbour_packet *asked = packet_at(ctx, l4, __builtin_offsetof(struct neighbour_packet, option));
	struct ipv6hdr *ip = packet_at(ctx, sizeof(struct frame), sizeof(*ip));
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct address target, asker;
	struct mac mac, to;

	if (!pkt || !asked || !ip || !frame || ip->nexthdr != IPPROTO_ICMPV6 || ip->hop_limit != ICMPV6_HOPS ||
	    asked->type != NEIGHBOUR_SOLICITATION)
		return false;
	target = address_ipv6(&asked->target);
	asker = address_ipv6(&ip->saddr);
	to = frame->src;
	if (!address_is_host(&asker) || !claim_is_due(ctx, pkt, &target, &mac))
		return false;
	ip = packet_at(ctx, sizeof(struct frame), sizeof(*ip));
	if (!ip)
		return false;
	neighbour_write(ctx, ip, &target, &mac);
	claim_frame(ctx, &to, &mac);
	return true;
}

/* The first or only fragment of an echo request becomes that of its reply. */
static __always_inline bool echo_turn(hook_ctx *ctx, const struct packet *pkt)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->l4, sizeof(*icmp));
	bool ipv4 = pkt->family == FAMILY_IPV4;
	__u16 before;

	if (!icmp || icmp->type != (ipv4 ? ECHO_REQUEST : ECHOV6_REQUEST))
		return false;
	before = *(__u16 *)icmp;
	icmp->type = ipv4 ? 0 : ECHOV6_REPLY;
	icmp->check = csum_apply(icmp->check, csum_delta16(before, *(__u16 *)icmp));
	return true;
}

/* Does the fragment follow one that echo_turn() took? Nobody's answers are turned: two directors would do so for ever. */
static __always_inline bool echo_follows(struct packet *pkt)
{
	return fragment_find(pkt) && pkt->key.sport == ECHO_NOTE;
}

/* An echo request becomes its reply: the addresses change places, which no checksum notices. Not static: verified once. */
__noinline int claim_echo(hook_ctx *ctx, struct packet *pkt)
{
	bool ipv4 = pkt && pkt->family == FAMILY_IPV4;
	struct ipv6hdr *ipv6;
	struct iphdr *header;
	__u32 l3, check;

	if (!pkt || !foreign_flags(&pkt->key.dst))
		return false;
	if (pkt->is_fragment ? !echo_follows(pkt) : !echo_turn(ctx, pkt))
		return false;
	pkt->key.sport = ECHO_NOTE;
	if (pkt->is_part && !pkt->is_fragment)
		fragment_note(pkt);
	l3 = pkt->l3;
	header = packet_at(ctx, l3, sizeof(*header));
	if (!header)
		return false;
	if (ipv4) {
		check = csum_delta16(header->ttl, ANSWER_TTL); /* in the low byte of its word, as memory has it */
		header->saddr = pkt->key.dst.word[3];
		header->daddr = pkt->key.src.word[3];
		header->ttl = ANSWER_TTL;
		header->check = csum_apply(header->check, check);
		return true;
	}
	ipv6 = packet_at(ctx, l3, sizeof(*ipv6));
	if (!ipv6)
		return false;
	__builtin_memcpy(&ipv6->saddr, &pkt->key.dst, sizeof(pkt->key.dst));
	__builtin_memcpy(&ipv6->daddr, &pkt->key.src, sizeof(pkt->key.src));
	ipv6->hop_limit = ANSWER_TTL;
	return true;
}

/* Answers the packet in its place; the verdict then, else the one that it had. */
static __always_inline enum verdict claim(hook_ctx *ctx, struct packet *pkt, enum verdict verdict)
{
	struct frame *frame;

	if (verdict == PASS_NOT_TRANSPORT) {
		if (!pkt->family || !is_icmp(pkt))
			return verdict;
		if (claim_echo(ctx, pkt))
			return ANSWER_ECHO;
		/* who makes sure of a neighbour that it knows asks it alone */
		return pkt->family == FAMILY_IPV6 && !pkt->is_part && claim_neighbour(ctx, pkt) ? ANSWER_NEIGHBOUR
												: verdict;
	}
	if (verdict != PASS_NOT_FOR_HOST && verdict != PASS_NOT_IP)
		return verdict;
	frame = packet_at(ctx, 0, sizeof(*frame));
	if (!frame)
		return verdict;
	if (frame->protocol == bpf_htons(ETH_P_ARP))
		return claim_arp(ctx, pkt) ? ANSWER_NEIGHBOUR : verdict;
	if (frame->protocol == bpf_htons(ETH_P_IPV6))
		return claim_neighbour(ctx, pkt) ? ANSWER_NEIGHBOUR : verdict;
	return verdict;
}

#endif
