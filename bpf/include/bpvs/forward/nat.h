/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LVS-NAT and FullNAT. In: destination := real server, source := local address (of NAT that is the client itself). Out:
 * source := virtual service, destination := client. Transport and IP checksums follow by difference, TTL falls by one on
 * the way to another host. The addresses' difference is known since the connection began. SCTP's checksum, a CRC32c,
 * covers its ports, but no addresses.
 */
#ifndef BPVS_FORWARD_NAT_H
#define BPVS_FORWARD_NAT_H

#include "../conn.h"
#include "../crc32c.h"
#include "../csum.h"
#include "../packet.h"
#include "../sequence.h"
#include "../toa.h"
#include "../translate.h"

/* Both ends of a packet as they are to be written. */
struct ends {
	const struct address *src;
	const struct address *dst;
	__be16 sport;
	__be16 dport;
	__u32 delta; /* of the addresses, against those that they replace */
};

static __always_inline struct ends nat_ends(const struct packet *pkt, const struct conn *conn)
{
	struct ends in = { &conn->local, &conn->server, conn->local_port, conn->server_port, conn->delta };
	struct ends out = { &conn->virtual, &conn->client, conn->virtual_port, conn->client_port, ~conn->delta };

	return pkt->direction == DIR_IN ? in : out;
}

static __always_inline void nat_ipv4(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends)
{
	struct iphdr *header = packet_at(ctx, pkt->l3, sizeof(*header));
	__u64 delta;

	if (!header)
		return;
	header->saddr = ends->src->word[3];
	header->daddr = ends->dst->word[3];
	delta = ends->delta;
	if (!pkt->keeps_ttl) {
		header->ttl--;
		delta += csum_delta16(bpf_htons(0x0100), 0); /* TTL is a word's high byte */
	}
	header->check = csum_apply(header->check, delta);
}

static __always_inline void nat_ipv6(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends)
{
	struct ipv6hdr *header = packet_at(ctx, pkt->l3, sizeof(*header));

	if (!header)
		return;
	__builtin_memcpy(&header->saddr, ends->src, sizeof(*ends->src));
	__builtin_memcpy(&header->daddr, ends->dst, sizeof(*ends->dst));
	if (!pkt->keeps_ttl)
		header->hop_limit--;
}

static __always_inline __u32 nat_ports(hook_ctx *ctx, __u32 l4, const struct ends *ends)
{
	__be16 *ports = packet_at(ctx, l4, 2 * sizeof(*ports));
	__u32 delta;

	if (!ports)
		return 0;
	delta = csum_delta16(ports[0], ends->sport) + csum_delta16(ports[1], ends->dport);
	ports[0] = ends->sport;
	ports[1] = ends->dport;
	return delta;
}

static __always_inline __u32 nat_check_offset(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
				       : __builtin_offsetof(struct udphdr, check);
}

/*
 * The CRC follows the ports, by their difference. One that hardware or a later step of the kernel is to work out is still
 * zero and must stay so: the whole packet, that zero included, is what skb_crc32c_csum_help() reads.
 */
static __always_inline void nat_sctp(hook_ctx *ctx, const struct packet *pkt, const struct ends *ends)
{
	struct sctp_header *header = packet_at(ctx, pkt->l4, sizeof(*header));
	__u32 ports = (__u32)ends->dport << 16 | ends->sport; /* as they lie in memory */
	__u32 difference, check;

	if (!header)
		return;
	difference = ports ^ ((__u32)header->dest << 16 | header->source);
	if (!difference)
		return;
	check = header->check;
	header->source = ends->sport;
	header->dest = ends->dport;
	if (!check && hook_is_unfinished(ctx, pkt))
		return;
	header = packet_at(ctx, pkt->l4, sizeof(*header));
	if (header)
		header->check = check ^ crc32c_change(difference, pkt->l3 + pkt->length - pkt->l4);
}

/* The CRC of an SCTP packet in fragments cannot follow its ports: the first one does not tell how long the whole is. */
static __always_inline bool nat_breaks(const struct packet *pkt, const struct conn *conn)
{
	return pkt->is_part && pkt->protocol == IPPROTO_SCTP && conn_is_translated(conn) &&
	       conn->virtual_port != conn->server_port;
}

/* false, with the packet spoilt, where it cannot be made one of the other family. */
static __always_inline bool forward_nat(hook_ctx *ctx, struct packet *pkt, const struct conn *conn)
{
	struct ends ends = nat_ends(pkt, conn);
	__u32 rest;

	if (conn_crosses(conn)) {
		if (!translate_header(ctx, pkt, ends.src, ends.dst))
			return false;
	} else if (pkt->family == FAMILY_IPV4) {
		nat_ipv4(ctx, pkt, &ends);
	} else {
		nat_ipv6(ctx, pkt, &ends);
	}
	if (pkt->is_fragment)
		return true;
	if (pkt->protocol == IPPROTO_SCTP) {
		nat_sctp(ctx, pkt, &ends);
		return true;
	}
	rest = nat_ports(ctx, pkt->l4, &ends);
	if (conn->state & CONN_SYNPROXY)
		rest = csum_fold32((__u64)rest + sequence_translate(ctx, pkt, conn));
	if (conn->state & CONN_TOA && pkt->direction == DIR_OUT && pkt->tcp_flags & TCP_SYN)
		rest = csum_fold32((__u64)rest + toa_lower_mss(ctx, pkt, conn));
	hook_update_check(ctx, pkt, pkt->l4 + nat_check_offset(pkt->protocol), ends.delta, rest);
	return true;
}

#endif
