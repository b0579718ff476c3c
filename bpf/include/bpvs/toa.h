/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's address as a TCP option for FullNAT's real servers, as the kernel modules of Alibaba's LVS read it, and
 * IPv4's as DPVS's does too (which expects IPv6 under kind 254):
 *
 *	kind 254, length 8, port, IPv4 address		kind 253, length 20, port, IPv6 address
 *
 * It goes into the ACK that completes the handshake and into what follows, until the server has accepted; before the
 * segment's own options, whose list may have an end. No packet grows beyond the way's MTU: the server's offer of a maximum
 * segment size is lowered by the option's size, and a packet that has no room for it goes without; so do the full ones of
 * a client that has learnt the way's MTU from a router, which did not know of the option. Where a header is full, the
 * client's own options give way.
 *
 * The server believes the option, so until it has accepted the connection none of the client's own making gets there. Nor
 * does Fast Open: a server that takes data in a SYN has accepted before anything could be told.
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

/* How a packet tells the client's address. */
enum toa_way {
	TOA_NOT,
	TOA_ADDED,
	TOA_IN_PLACE, /* of the segment's own options */
};

static __always_inline enum toa_way toa_room(const struct packet *pkt, const struct conn *conn)
{
	if (pkt->is_error || pkt->is_part || pkt->tcp_flags & (TCP_SYN | TCP_RST))
		return TOA_NOT;
	if (pkt->payload - pkt->l4 + toa_size(conn) > TCP_HEADER_LONGEST)
		return TOA_IN_PLACE;
	return toa_place(pkt) > TOA_MOVED_LONGEST ? TOA_NOT : TOA_ADDED;
}

static __always_inline bool has_payload(const struct packet *pkt)
{
	return pkt->l3 + pkt->length > pkt->payload;
}

static __always_inline void toa_update_check(hook_ctx *ctx, const struct packet *pkt, __u32 delta)
{
	if (delta)
		hook_update_check(ctx, pkt, pkt->l4 + __builtin_offsetof(struct tcphdr, check), 0, delta);
}

/* Takes away what a client might say of itself, and Fast Open. Not static: verified once. */
__noinline int toa_purge(hook_ctx *ctx, const struct packet *pkt)
{
	__u64 delta = 0;
	__u32 at;

	if (!pkt || pkt->is_error || pkt->is_fragment || (pkt->tcp_flags & TCP_SYN && !has_payload(pkt)))
		return 0;
	at = toa_place(pkt);
	for (int i = 0; i < MAX_OPTIONS; i++) {
		__u32 option = option_at(ctx, at, pkt->payload);
		__u8 kind = option;

		if (!option)
			break;
		if (kind == OPTION_TOA_IPV4 || kind == OPTION_TOA_IPV6 || kind == OPTION_FAST_OPEN)
			delta += option_blank(ctx, at, option >> 8);
		at += option >> 8;
	}
	toa_update_check(ctx, pkt, csum_fold32(delta));
	return 0;
}

/* Puts the option into the place of the client's own. Not static: verified once. */
__noinline int toa_replace(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn)
{
	__be32 options[MAX_OPTIONS / sizeof(__be32)];
	__u64 delta = 0;

	if (!pkt || !conn)
		return 0;
	for (__u32 i = 0; i < MAX_OPTIONS / sizeof(__be32); i++)
		options[i] = bpf_htonl(WORD_NOPS);
	toa_option(conn, options);
	for (__u32 i = 0; i < MAX_OPTIONS / sizeof(__be32); i++) {
		__u32 at = toa_place(pkt) + i * sizeof(__be32);
		__be32 *word = packet_at(ctx, at, sizeof(*word));

		if (at >= pkt->payload || !word)
			break;
		delta += (__u64)options[i] + (__u32) ~*word;
		*word = options[i];
	}
	toa_update_check(ctx, pkt, csum_fold32(delta));
	return 0;
}

/*
 * A packet of the server while it may not know the client yet. Has it accepted? Then it sends data or its end, or
 * acknowledges more than its SYN, ACK did. Before, it may send bare ACKs and RSTs, to segments that are none of the
 * handshake. Behind SYNPROXY the director's own ACK has told it. Not static: verified once.
 */
__noinline int toa_hear(hook_ctx *ctx, const struct packet *pkt, struct conn *conn)
{
	__be32 *ack = pkt ? packet_at(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, ack_seq), sizeof(*ack)) : NULL;
	bool is_proxied = conn && conn->state & CONN_SYNPROXY;

	if (!ack || !conn || pkt->is_error || pkt->is_fragment)
		return 0;
	if (pkt->tcp_flags & TCP_SYN) {
		if (!is_proxied)
			conn->shift = bpf_ntohl(*ack);
		return 0;
	}
	if (is_proxied || (!(pkt->tcp_flags & TCP_RST) &&
			   (pkt->tcp_flags & TCP_FIN || has_payload(pkt) || bpf_ntohl(*ack) != conn->shift)))
		__sync_fetch_and_and(&conn->state, ~CONN_TOA);
	return 0;
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

/*
 * The largest segment that a packet from the client can bring: no longer than what leaves towards it, or the way in would
 * be wider than the way out. A server with longer frames offers more, which would leave no room. 0: not known.
 */
static __always_inline __u32 toa_client_mss(const struct packet *pkt, const struct conn *conn)
{
	__u32 headers = address_is_ipv4(&conn->server) ? 40 : 60; /* pkt->mtu is in the server's family */

	return conn->back.ifindex && pkt->mtu > headers ? pkt->mtu - headers : 0;
}

/* Lowers the server's offer; what that adds to a sum over the segment. Not static: verified once. */
__noinline __u32 toa_lower_mss(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	__u32 at, mss, most, lower;
	__u8 *option;

	if (!pkt || !conn)
		return 0;
	at = option_find(ctx, pkt->l4 + sizeof(struct tcphdr), pkt->payload, OPTION_MSS, 4);
	option = packet_at(ctx, at, 4);
	if (!at || !option)
		return 0;
	mss = option[2] << 8 | option[3];
	most = toa_client_mss(pkt, conn);
	lower = most && most < mss ? most : mss;
	lower -= lower > toa_size(conn) ? toa_size(conn) : 0;
	option[2] = lower >> 8;
	option[3] = lower;
	if (at & 1) /* its bytes lie across two words of the sum */
		return csum_delta16(mss, lower);
	return csum_delta16(bpf_htons(mss), bpf_htons(lower));
}

#endif
