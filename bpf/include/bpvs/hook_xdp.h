/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet access in XDP. Same names as hook_tc.h; what XDP cannot do (deliver locally, have a neighbour resolved) it
 * leaves to TC by passing the packet on before anything was changed.
 */
#ifndef BPVS_HOOK_XDP_H
#define BPVS_HOOK_XDP_H

#include "csum.h"
#include "maps.h"
#include "packet.h"

#define HOOK_IS_COMPLETE false /* delivers locally and resolves neighbours */

/* Makes the headers readable. */
static __always_inline void hook_pull(hook_ctx *ctx)
{
	(void)ctx;
}

/* In promiscuous mode the interface brings frames for other stations too. */
static __always_inline enum verdict hook_admit(hook_ctx *ctx)
{
	__u32 ifindex = ctx->ingress_ifindex;
	struct station *station = bpf_map_lookup_elem(&stations, &ifindex);
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	if (!station || !frame)
		return PASS_NOT_IP;
	if (mac_equal(&frame->dst, &station->mac) || mac_is_zero(&station->mac))
		return FORWARDED;
	return PASS_NOT_FOR_HOST;
}

static __always_inline __u32 hook_from(hook_ctx *ctx, const struct settings *settings)
{
	(void)settings;
	return ctx->ingress_ifindex;
}

static __always_inline bool hook_is_finished(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx, (void)settings;
	return false;
}

static __always_inline bool hook_has_waited(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx, (void)settings;
	return false;
}

static __always_inline bool hook_is_detoured(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx, (void)settings;
	return false;
}

/* Bytes of the whole frame. */
static __always_inline __u32 hook_length(hook_ctx *ctx)
{
	return (void *)(long)ctx->data_end - (void *)(long)ctx->data;
}

/* Payload bytes of each packet that this one is cut into later; 0 where it is sent as it is. */
static __always_inline __u32 hook_segment_size(hook_ctx *ctx)
{
	(void)ctx;
	return 0;
}

/* Are all packets that this one is cut into short enough for the interface? */
static __always_inline bool hook_segments_fit(hook_ctx *ctx, __u32 ifindex)
{
	(void)ctx, (void)ifindex;
	return true;
}

static __always_inline long hook_load(hook_ctx *ctx, __u32 offset, void *to, __u32 size)
{
	return bpf_xdp_load_bytes(ctx, offset, to, size);
}

/* Makes room for outer headers behind the Ethernet header, whose addresses are lost. */
static __always_inline bool hook_encapsulate(hook_ctx *ctx, __u32 size, bool ipv4, __u8 protocol)
{
	(void)protocol;
	if (bpf_xdp_adjust_head(ctx, -(int)size))
		return false;
	return packet_set_family(ctx, ipv4 ? FAMILY_IPV4 : FAMILY_IPV6);
}

/* Can a frame be redirected there? Many drivers can send only where XDP was set up. */
static __always_inline bool hook_reaches(__u32 ifindex)
{
	struct station *station = bpf_map_lookup_elem(&stations, &ifindex);

	return station && station->carries_xdp;
}

/* Corrects the transport checksum at offset. A UDP checksum of 0 means "none" and stays. */
static __always_inline void hook_update_check(hook_ctx *ctx, const struct packet *pkt, __u32 offset,
					      __u32 address_delta, __u32 port_delta)
{
	__u16 *check = packet_at(ctx, offset, sizeof(*check));
	__u16 sum;

	if (!check || (pkt->protocol == IPPROTO_UDP && !*check))
		return;
	sum = csum_apply(*check, (__u64)address_delta + port_delta);
	*check = pkt->protocol == IPPROTO_UDP && !sum ? 0xffff : sum;
}

static __always_inline void hook_store(hook_ctx *ctx, __u32 offset, const void *from, __u32 size)
{
	void *to = packet_at(ctx, offset, size);

	if (to)
		__builtin_memcpy(to, from, size);
}

static __always_inline bool hook_is_unfinished(hook_ctx *ctx, const struct packet *pkt)
{
	(void)ctx, (void)pkt;
	return false;
}

/* Cuts or extends the frame to that size. */
static __always_inline bool hook_resize(hook_ctx *ctx, __u32 size)
{
	long length = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	barrier_var(length); /* or the compiler would subtract pointers in 32 bits, which the verifier forbids */
	return !bpf_xdp_adjust_tail(ctx, (long)size - length);
}

/* Opens a gap of size bytes before the frame; its offset, or one beyond MAX_OFFSET. */
static __always_inline __u32 hook_open_gap(hook_ctx *ctx, const struct packet *pkt, __u32 size)
{
	(void)pkt;
	return bpf_xdp_adjust_head(ctx, -(int)size) ? MAX_OFFSET + 1 : 0;
}

/* Makes the IP header one of the other family's size, contents undefined. more: bytes of IPv6's extension header. */
static __always_inline bool hook_change_family(hook_ctx *ctx, __u8 family, __u32 more)
{
	int change = sizeof(struct ipv6hdr) - sizeof(struct iphdr) + more;

	return !bpf_xdp_adjust_head(ctx, family == FAMILY_IPV4 ? change : -change) && packet_set_family(ctx, family);
}

static __always_inline int hook_send(hook_ctx *ctx, const struct packet *pkt, const struct hop *hop)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	if (!frame)
		return XDP_ABORTED;
	frame->dst = hop->dst;
	frame->src = hop->src;
	return hop->ifindex == pkt->from ? XDP_TX : (int)bpf_redirect(hop->ifindex, 0);
}

/* What only TC does; never reached here. */
static __always_inline int hook_send_neighbour(hook_ctx *ctx, struct packet *pkt)
{
	(void)ctx, (void)pkt;
	return XDP_PASS;
}

static __always_inline void hook_send_copy(hook_ctx *ctx, const struct hop *hop)
{
	(void)ctx, (void)hop;
}

static __always_inline void hook_hold_copy(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	(void)ctx, (void)pkt, (void)settings;
}

static __always_inline int hook_hold(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx, (void)settings;
	return XDP_PASS;
}

static __always_inline __u32 hook_waited(hook_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline int hook_readmit(hook_ctx *ctx, const struct packet *pkt)
{
	(void)ctx, (void)pkt;
	return XDP_PASS;
}

/* Before XDP nobody marks. */
static __always_inline __u32 hook_mark(hook_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline void hook_set_mark(hook_ctx *ctx, __u32 mark)
{
	(void)ctx, (void)mark;
}

static __always_inline void hook_set_from(hook_ctx *ctx, const struct packet *pkt)
{
	(void)ctx, (void)pkt;
}

static __always_inline bool hook_is_rest(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx, (void)settings;
	return false;
}

static __always_inline void hook_send_rest(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	(void)ctx, (void)pkt, (void)settings;
}

static __always_inline long hook_close_gap(hook_ctx *ctx, __u32 size)
{
	(void)ctx, (void)size;
	return -1;
}

static __always_inline int hook_finish(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	(void)ctx, (void)pkt, (void)settings;
	return XDP_PASS;
}

static __always_inline int hook_send_local(hook_ctx *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

/* Back to the station that it came from. */
static __always_inline int hook_return(hook_ctx *ctx, const struct packet *pkt)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct mac sender;

	(void)pkt;
	if (!frame)
		return XDP_ABORTED;
	sender = frame->src;
	frame->src = frame->dst;
	frame->dst = sender;
	return XDP_TX;
}

static __always_inline int hook_action(enum verdict verdict)
{
	return verdict < DROP_NO_SERVER ? XDP_PASS : XDP_DROP;
}

#endif
