/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TOA, a TCP option that tells a real server whom a full-NAT director speaks for: in the ACK that completes the handshake
 * and in the first segments with data.
 *
 *	kind 254, length 8	port, IPv4 address	Alibaba's and DPVS's modules
 *	kind 254, length 20	port, IPv6 address	DPVS's module
 *	kind 253, length 20	port, IPv6 address
 */
#ifndef BPVS_REALSERVER_TOA_H
#define BPVS_REALSERVER_TOA_H

#include "../packet.h"
#include "maps.h"

#define TOA_KIND 254
#define TOA_KIND_IPV6 253
#define TOA_LENGTH 8
#define TOA_LENGTH_IPV6 20
#define OPTION_END 0
#define OPTION_NOP 1
#define MAX_OPTIONS 40  /* bytes of options in a TCP header, and so the most options */
#define MAX_HEADER 0x3f /* a TCP header is shorter */

struct toa {
	__u8 kind;
	__u8 length;
	__be16 port;
	__be32 address[4]; /* only the first for IPv4 */
};

static __always_inline bool is_toa(__u8 kind, __u8 length)
{
	if (kind == TOA_KIND)
		return length == TOA_LENGTH || length == TOA_LENGTH_IPV6;
	return kind == TOA_KIND_IPV6 && length == TOA_LENGTH_IPV6;
}

static __always_inline void *segment_at(struct bpf_sock_ops *ctx, __u32 offset, __u32 size)
{
	void *at;

	if (offset > MAX_HEADER)
		return NULL;
	barrier_var(offset);
	at = ctx->skb_data + (offset & MAX_HEADER);
	return at + size > ctx->skb_data_end ? NULL : at;
}

struct toa_search {
	struct bpf_sock_ops *ctx;
	__u32 at;   /* offset of the option to look at */
	bool found; /* it is TOA */
};

static long toa_next_option(__u32 number, struct toa_search *search)
{
	__u8 *kind = segment_at(search->ctx, search->at, 1);
	__u8 *length;

	(void)number;
	if (!kind || *kind == OPTION_END)
		return 1;
	if (*kind == OPTION_NOP) {
		search->at++;
		return 0;
	}
	length = segment_at(search->ctx, search->at + 1, 1);
	if (!length || *length < 2)
		return 1;
	search->found = is_toa(*kind, *length);
	if (!search->found)
		search->at += *length;
	return search->found;
}

/* Offset of the TOA option in the segment's TCP header, or 0. */
static __always_inline __u32 toa_find(struct bpf_sock_ops *ctx)
{
	struct toa_search search = { .ctx = ctx, .at = sizeof(struct tcphdr) };

	bpf_loop(MAX_OPTIONS, toa_next_option, &search, 0);
	return search.found ? search.at : 0;
}

static __always_inline bool toa_read(struct bpf_sock_ops *ctx, struct toa_client *client)
{
	__u32 at = toa_find(ctx);
	struct toa *toa;

	if (!at)
		return false;
	toa = segment_at(ctx, at, TOA_LENGTH);
	if (!toa)
		return false;
	client->port = toa->port;
	if (toa->length == TOA_LENGTH) {
		client->address = address_ipv4(toa->address[0]);
		return true;
	}
	toa = segment_at(ctx, at, TOA_LENGTH_IPV6);
	if (!toa)
		return false;
	__builtin_memcpy(&client->address, toa->address, sizeof(client->address));
	return true;
}

static __always_inline bool toa_is_trusted(struct bpf_sock_ops *ctx)
{
	__be32 ipv4 = ctx->remote_ip4, last = ctx->remote_ip6[3];
	struct prefix peer = { .length = 128 };

	barrier_var(ipv4); /* or one load would serve both, from an address worked out before, which is not allowed */
	barrier_var(last);
	if (ctx->family == FAMILY_IPV4) {
		peer.address = address_ipv4(ipv4);
	} else {
		peer.address.word[0] = ctx->remote_ip6[0];
		peer.address.word[1] = ctx->remote_ip6[1];
		peer.address.word[2] = ctx->remote_ip6[2];
		peer.address.word[3] = last;
	}
	return bpf_map_lookup_elem(&toa_from, &peer);
}

/* Learns the client from a segment; false if it carries no TOA. */
static __always_inline bool toa_learn(struct bpf_sock_ops *ctx)
{
	struct toa_client client = {}, *kept;

	if (!toa_read(ctx, &client))
		return false;
	if (!toa_is_trusted(ctx)) {
		count_fate(TOA_UNTRUSTED);
		return true;
	}
	if (!address_is_host(&client.address)) {
		count_fate(TOA_MARTIAN);
		return true;
	}
	if (!ctx->sk)
		return true;
	kept = bpf_sk_storage_get(&clients, ctx->sk, &client, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept)
		count_fate(TOA_LEARNT);
	return true;
}

/* Whether the segment carries data: the header's length is in the upper half of its 13th byte, in words. */
static __always_inline bool segment_has_data(struct bpf_sock_ops *ctx)
{
	__u8 *length = segment_at(ctx, 12, 1);

	return length && ctx->skb_len > (*length >> 4) * 4U;
}

#endif
