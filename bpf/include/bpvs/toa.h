/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's address as a TCP option for FullNAT's real servers, as Alibaba's and DPVS's kernel modules read it:
 *
 *	kind 254, length 8, port, IPv4 address		kind 253, length 20, port, IPv6 address
 *
 * It goes into the ACK that completes the handshake and into what follows, until the server has answered; before the
 * segment's own options, whose list may have an end. No packet grows beyond the way's MTU: the server's offer of a maximum
 * segment size is lowered by the option's size, and a packet that has no room for it goes without.
 */
#ifndef BPVS_TOA_H
#define BPVS_TOA_H

#include "csum.h"
#include "packet.h"
#include "tcp_option.h"

#define TOA_IPV4 0xfe080000 /* the option's first word, port 0 */
#define TOA_IPV6 0xfd140000
#define TOA_WORDS_IPV4 2
#define TOA_WORDS_IPV6 5
#define TCP_HEADER_LONGEST 60
#define TOA_MOVED_LONGEST 160 /* bytes of headers before the TCP options; packets with more go without */

/* The option for the connection; its words. */
static __always_inline __u32 toa_option(const struct conn *conn, __be32 *option)
{
	__u32 port = bpf_ntohs(conn->client_port);

	if (address_is_ipv4(&conn->client)) {
		option[0] = bpf_htonl(TOA_IPV4 | port);
		option[1] = conn->client.word[3];
		return TOA_WORDS_IPV4;
	}
	option[0] = bpf_htonl(TOA_IPV6 | port);
	for (int i = 0; i < 4; i++)
		option[1 + i] = conn->client.word[i];
	return TOA_WORDS_IPV6;
}

static __always_inline __u32 toa_size(const struct conn *conn)
{
	return 4 * (address_is_ipv4(&conn->client) ? TOA_WORDS_IPV4 : TOA_WORDS_IPV6);
}

/* Where the option goes: behind the fixed part of the TCP header. */
static __always_inline __u32 toa_place(const struct packet *pkt)
{
	return pkt->l4 + sizeof(struct tcphdr);
}

/* Is this one of the packets that carry the option, and is there room? */
static __always_inline bool toa_wanted(const struct packet *pkt, const struct conn *conn, __u32 longest)
{
	__u32 size = toa_size(conn);

	if (!(conn->state & CONN_TOA) || pkt->direction != DIR_IN || pkt->is_error || pkt->is_part)
		return false;
	if (pkt->tcp_flags & (TCP_SYN | TCP_RST) || toa_place(pkt) > TOA_MOVED_LONGEST)
		return false;
	return pkt->payload - pkt->l4 + size <= TCP_HEADER_LONGEST && longest + size <= pkt->mtu;
}

/* Moves the bytes [at + by, end + by) up to at; in halves of words, as headers lie. */
static __always_inline void toa_close_gap(hook_ctx *ctx, __u32 at, __u32 end, __u32 by)
{
	for (__u32 i = 0; i < TOA_MOVED_LONGEST; i += 2) {
		__u16 *to = packet_at(ctx, at + i, sizeof(*to));
		__u16 *from = packet_at(ctx, at + by + i, sizeof(*from));

		if (at + i >= end || !to || !from)
			break;
		*to = *from;
	}
}

static __always_inline void toa_lengthen_ip(hook_ctx *ctx, const struct packet *pkt, __u32 size)
{
	struct iphdr *ipv4;
	struct ipv6hdr *ipv6;
	__be16 length;

	if (pkt->family == FAMILY_IPV6) {
		ipv6 = packet_at(ctx, pkt->l3, sizeof(*ipv6));
		if (ipv6)
			ipv6->payload_len = bpf_htons(bpf_ntohs(ipv6->payload_len) + size);
		return;
	}
	ipv4 = packet_at(ctx, pkt->l3, sizeof(*ipv4));
	if (!ipv4)
		return;
	length = bpf_htons(bpf_ntohs(ipv4->tot_len) + size);
	ipv4->check = csum_apply(ipv4->check, csum_delta16(ipv4->tot_len, length));
	ipv4->tot_len = length;
}

/* Puts the option in; false, with the packet spoilt, where the frame cannot grow. Not static: verified once. */
__noinline int toa_insert(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	__be32 option[TOA_WORDS_IPV6] = {};
	__u32 words, size, at;
	__u16 *offset, before;
	__u64 delta;

	if (!pkt || !conn)
		return false;
	words = toa_option(conn, option);
	size = words * sizeof(*option);
	at = hook_open_gap(ctx, pkt, size);
	if (at > MAX_OFFSET)
		return false;
	toa_close_gap(ctx, at, toa_place(pkt), size);
	for (__u32 i = 0; i < TOA_WORDS_IPV6 && i < words; i++) {
		__be32 *to = packet_at(ctx, toa_place(pkt) + i * sizeof(*to), sizeof(*to));

		if (!to)
			return false;
		*to = option[i];
	}
	toa_lengthen_ip(ctx, pkt, size);
	offset = packet_at(ctx, pkt->l4 + 12, sizeof(*offset));
	if (!offset)
		return false;
	before = *offset;
	*(__u8 *)offset += words << 4;
	delta = csum_words(option, sizeof(option)) + csum_delta16(before, *offset);
	hook_update_check(ctx, pkt, pkt->l4 + __builtin_offsetof(struct tcphdr, check), bpf_htons(size),
			  csum_fold32(delta));
	pkt->payload += size; /* but not its length: what the client sent is counted */
	return true;
}

/* Lowers the server's offer; what that adds to a sum over the segment. Not static: verified once. */
__noinline __u32 toa_lower_mss(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	__u32 at, mss, lower;
	__u8 *option;

	if (!pkt || !conn)
		return 0;
	at = option_find(ctx, pkt->l4 + sizeof(struct tcphdr), pkt->payload, OPTION_MSS, 4);
	option = packet_at(ctx, at, 4);
	if (!at || !option)
		return 0;
	mss = option[2] << 8 | option[3];
	lower = mss > toa_size(conn) ? mss - toa_size(conn) : mss;
	option[2] = lower >> 8;
	option[3] = lower;
	if (at & 1) /* its bytes lie across two words of the sum */
		return csum_delta16(mss, lower);
	return csum_delta16(bpf_htons(mss), bpf_htons(lower));
}

#endif
