/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Direct routing, and whatever else is sent on as it is: TTL or hop limit falls by one, the frame gets new addresses.
 */
#ifndef BPVS_FORWARD_ROUTE_H
#define BPVS_FORWARD_ROUTE_H

#include "../csum.h"
#include "../packet.h"

static __always_inline void forward_route(hook_ctx *ctx, const struct packet *pkt)
{
	struct ipv6hdr *ipv6;
	struct iphdr *ipv4;

	if (pkt->keeps_ttl)
		return;
	if (pkt->family == FAMILY_IPV4) {
		ipv4 = packet_at(ctx, pkt->l3, sizeof(*ipv4));
		if (!ipv4)
			return;
		ipv4->ttl--;
		ipv4->check = csum_apply(ipv4->check, csum_delta16(bpf_htons(0x0100), 0));
		return;
	}
	ipv6 = packet_at(ctx, pkt->l3, sizeof(*ipv6));
	if (ipv6)
		ipv6->hop_limit--;
}

#endif
