/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VIP is the director's in the eyes of the network: nobody may learn from a real server which station has it. IPv4
 * alone needs this: the kernel answers ARP for every address of the host, but neighbour solicitations only for those of
 * the interface that they come in by.
 */
#ifndef BPVS_REALSERVER_ARP_H
#define BPVS_REALSERVER_ARP_H

#include "../packet.h"
#include "maps.h"

#define ARP_REQUEST 1

/* RFC 826, for IPv4 over Ethernet */
struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_station[6];
	__u8 sender[4];
	__u8 target_station[6];
	__u8 target[4];
};

static __always_inline bool arp_asks_for_vip(hook_ctx *ctx)
{
	struct arp *arp = packet_at(ctx, sizeof(struct frame), sizeof(*arp));
	struct address address;
	__be32 target;

	if (!arp || arp->operation != bpf_htons(ARP_REQUEST) || arp->protocol != bpf_htons(ETH_P_IP))
		return false;
	__builtin_memcpy(&target, arp->target, sizeof(target));
	address = address_ipv4(target);
	return bpf_map_lookup_elem(&vips, &address);
}

#endif
