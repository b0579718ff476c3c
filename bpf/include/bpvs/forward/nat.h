/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LVS-NAT. In: destination := real server. Out: source := virtual service. Transport and IP checksums follow by
 * difference, TTL falls by one on the way to another host. The addresses' difference is known since the connection began.
 */
#ifndef BPVS_FORWARD_NAT_H
#define BPVS_FORWARD_NAT_H

#include "../csum.h"
#include "../packet.h"

/* One end of a flow, as it is to be written. */
struct endpoint {
	const struct address *address;
	__be16 port;
	__u32 delta; /* of the address, against the one it replaces */
	bool is_source;
};

static __always_inline struct endpoint nat_endpoint(const struct packet *pkt, const struct conn *conn)
{
	struct endpoint in = { &conn->server, conn->server_port, conn->delta, false };
	struct endpoint out = { &conn->virtual, conn->virtual_port, ~conn->delta, true };

	return pkt->direction == DIR_IN ? in : out;
}

static __always_inline void nat_ipv4(hook_ctx *ctx, const struct packet *pkt, const struct endpoint *end)
{
	struct iphdr *header = packet_at(ctx, pkt->l3, sizeof(*header));
	__u64 delta;

	if (!header)
		return;
	if (end->is_source)
		header->saddr = end->address->word[3];
	else
		header->daddr = end->address->word[3];
	delta = end->delta;
	if (!pkt->ends_here) {
		header->ttl--;
		delta += csum_delta16(bpf_htons(0x0100), 0); /* TTL is a word's high byte */
	}
	header->check = csum_apply(header->check, delta);
}

static __always_inline void nat_ipv6(hook_ctx *ctx, const struct packet *pkt, const struct endpoint *end)
{
	struct ipv6hdr *header = packet_at(ctx, pkt->l3, sizeof(*header));

	if (!header)
		return;
	__builtin_memcpy(end->is_source ? &header->saddr : &header->daddr, end->address, sizeof(*end->address));
	if (!pkt->ends_here)
		header->hop_limit--;
}

static __always_inline __u32 nat_port(hook_ctx *ctx, __u32 l4, bool source, __be16 port)
{
	__be16 *at = packet_at(ctx, l4 + (source ? 0 : 2), sizeof(*at));
	__u32 delta = 0;

	if (at && *at != port) {
		delta = csum_delta16(*at, port);
		*at = port;
	}
	return delta;
}

static __always_inline __u32 nat_check_offset(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
				       : __builtin_offsetof(struct udphdr, check);
}

static __always_inline void forward_nat(hook_ctx *ctx, const struct packet *pkt, const struct conn *conn)
{
	struct endpoint end = nat_endpoint(pkt, conn);
	__u32 ports;

	if (pkt->family == FAMILY_IPV4)
		nat_ipv4(ctx, pkt, &end);
	else
		nat_ipv6(ctx, pkt, &end);
	ports = nat_port(ctx, pkt->l4, end.is_source, end.port);
	hook_update_check(ctx, pkt, pkt->l4 + nat_check_offset(pkt->protocol), end.delta, ports);
}

#endif
