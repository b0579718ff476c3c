/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet access in TC ingress. Same names as hook_xdp.h; TC is complete.
 *
 * Packets here may be unfinished (CHECKSUM_PARTIAL) or carry a hardware sum (CHECKSUM_COMPLETE), which only helpers know.
 * The rule: headers are written directly; one helper call per kind of change then keeps the transport checksum and
 * skb->csum right.
 */
#ifndef BPVS_HOOK_TC_H
#define BPVS_HOOK_TC_H

#include "clock.h"
#include "csum.h"
#include "maps.h"
#include "packet.h"
#include <linux/pkt_cls.h>

#define HOOK_IS_COMPLETE true /* delivers locally and resolves neighbours */

#define PULL_BYTES 192  /* enough for any header that is looked at, an ICMP error's inner ones included */
#define PKT_TYPE_HOST 0 /* PACKET_HOST */

/* In the mark of a packet in the siding: where it came from, and since when it is held, in units of clock_ms() */
#define HOLD_FROM 0x3fffff
#define HOLD_SINCE_SHIFT 22
#define HOLD_SINCE_MASK 0x3ff
#define HOLD_REST (1 << HOLD_SINCE_SHIFT) /* of one that comes back at once: what lies in front has gone ahead */
#define CLOCK_BEHIND 16                   /* by which a CPU's clock may be behind another's: a tick */

/* In one instruction each, or the compiler would keep the field's address, which the verifier forbids of a context. */
static __always_inline __u32 hook_mark(hook_ctx *ctx)
{
	__u32 mark;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(mark) : "r"(ctx), "i"(__builtin_offsetof(hook_ctx, mark)));
	return mark;
}

static __always_inline void hook_set_mark(hook_ctx *ctx, __u32 mark)
{
	asm volatile("*(u32 *)(%0 + %1) = %2" ::"r"(ctx), "i"(__builtin_offsetof(hook_ctx, mark)), "r"(mark)
		     : "memory");
}

static __always_inline void hook_pull_to(hook_ctx *ctx, __u32 size)
{
	__u32 linear = ctx->data_end - ctx->data;

	if (linear < size && linear < ctx->len)
		bpf_skb_pull_data(ctx, ctx->len < size ? ctx->len : size);
}

/* Merged SCTP is left as it is: its headers are readable, and pulling more would move the borders of its packets. */
static __always_inline void hook_pull(hook_ctx *ctx)
{
	if (ctx->gso_size != SEGMENTS_VARY)
		hook_pull_to(ctx, PULL_BYTES);
}

/* A tag of VLAN 0 has a priority, but no VLAN: it comes off, as the kernel does with it. */
static __always_inline enum verdict hook_admit(hook_ctx *ctx)
{
	if (ctx->pkt_type != PKT_TYPE_HOST)
		return PASS_NOT_FOR_HOST;
	if (ctx->vlan_present && !(ctx->vlan_tci & VLAN_ID))
		bpf_skb_vlan_pop(ctx);
	return ctx->vlan_present ? PASS_NOT_IP : FORWARDED;
}

static __always_inline bool hook_is_from_siding(hook_ctx *ctx, const struct settings *settings)
{
	return ctx->ingress_ifindex == settings->siding_wait || ctx->ingress_ifindex == settings->siding_done;
}

/* Did the kernel route it by its mark? */
static __always_inline bool hook_is_detoured(hook_ctx *ctx, const struct settings *settings)
{
	return ctx->ingress_ifindex == settings->detour;
}

/* A packet about to take the detour: where it came in goes into its frame, whose source means nothing there. */
static __always_inline void hook_note_from(hook_ctx *ctx)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	__u32 from = ctx->ingress_ifindex;

	if (!frame)
		return;
	frame->src.word[1] = from;
	frame->src.word[2] = from >> 16;
}

static __always_inline __u32 hook_noted_from(hook_ctx *ctx)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	return frame ? frame->src.word[1] | (__u32)frame->src.word[2] << 16 : 0;
}

/*
 * The interface that brought the packet; one from the siding carries it in its mark, since veth clears the priority. The
 * mark of one that goes on is cleared: it would mean something to the rules of others.
 */
static __always_inline __u32 hook_from(hook_ctx *ctx, const struct settings *settings)
{
	__u32 from = hook_mark(ctx) & HOLD_FROM;

	if (hook_is_detoured(ctx, settings))
		return hook_noted_from(ctx);
	if (!hook_is_from_siding(ctx, settings))
		return ctx->ingress_ifindex;
	if (ctx->ingress_ifindex == settings->siding_wait)
		hook_set_mark(ctx, 0);
	return from;
}

/* Is it what is left of a packet whose first piece has gone ahead? To be asked before hook_from(). */
static __always_inline bool hook_is_rest(hook_ctx *ctx, const struct settings *settings)
{
	return ctx->ingress_ifindex == settings->siding_wait && hook_mark(ctx) & HOLD_REST;
}

/* How long it has been held, in units of clock_ms(); of longer than a second only the rest. */
static __always_inline __u32 hook_waited(hook_ctx *ctx)
{
	__u32 waited = (clock_ms(clock_ns()) - (hook_mark(ctx) >> HOLD_SINCE_SHIFT)) & HOLD_SINCE_MASK;

	return waited > HOLD_SINCE_MASK - CLOCK_BEHIND ? 0 : waited;
}

/* Back to where it came in, to be looked at again. */
static __always_inline int hook_readmit(hook_ctx *ctx, const struct packet *pkt)
{
	hook_set_mark(ctx, 0);
	return bpf_redirect(pkt->from, BPF_F_INGRESS);
}

static __always_inline bool hook_is_finished(hook_ctx *ctx, const struct settings *settings)
{
	return ctx->ingress_ifindex == settings->siding_wait;
}

/* Has it waited in the siding? */
static __always_inline bool hook_has_waited(hook_ctx *ctx, const struct settings *settings)
{
	return ctx->ingress_ifindex == settings->siding_done;
}

/* Bytes of the whole frame. */
static __always_inline __u32 hook_length(hook_ctx *ctx)
{
	return ctx->len;
}

/* Payload bytes of each packet that this one is cut into later; 0 where it is sent as it is. */
static __always_inline __u32 hook_segment_size(hook_ctx *ctx)
{
	return ctx->gso_size;
}

/*
 * Are all packets that this one is cut into short enough for the interface? For segments of any size, which SCTP's sender
 * has cut already (GSO_BY_FRAGS): the kernel alone sees them.
 */
static __always_inline bool hook_segments_fit(hook_ctx *ctx, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(ctx, ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) != BPF_MTU_CHK_RET_SEGS_TOOBIG;
}

static __always_inline long hook_load(hook_ctx *ctx, __u32 offset, void *to, __u32 size)
{
	return bpf_skb_load_bytes(ctx, offset, to, size);
}

/* Makes room for outer headers behind the Ethernet header. Merged packets stay whole: segments get the same headers. */
static __always_inline bool hook_encapsulate(hook_ctx *ctx, __u32 size, bool ipv4, __u8 protocol)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	flags |= ipv4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (protocol == IPPROTO_UDP)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (protocol == IPPROTO_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (bpf_skb_adjust_room(ctx, size, BPF_ADJ_ROOM_MAC, flags))
		return false;
	return packet_set_family(ctx, ipv4 ? FAMILY_IPV4 : FAMILY_IPV6);
}

static __always_inline bool hook_reaches(__u32 ifindex)
{
	(void)ifindex;
	return true;
}

/* Corrects the transport checksum at offset. A UDP checksum of 0 means "none" and stays. */
static __always_inline void hook_update_check(hook_ctx *ctx, const struct packet *pkt, __u32 offset,
					      __u32 address_delta, __u32 port_delta)
{
	__u64 udp = pkt->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	bpf_l4_csum_replace(ctx, offset, 0, address_delta, udp | BPF_F_PSEUDO_HDR);
	if (port_delta)
		bpf_l4_csum_replace(ctx, offset, 0, port_delta, udp);
	/*
	 * The first call took address_delta off skb->csum, which is right for IPv4 (the header's own checksum made up for
	 * the address). IPv6 has no header checksum: address and transport checksum cancel out, so put it back.
	 */
	if (pkt->family == FAMILY_IPV6 && !pkt->is_translated)
		bpf_csum_update(ctx, address_delta);
}

static __always_inline void hook_store(hook_ctx *ctx, __u32 offset, const void *from, __u32 size)
{
	bpf_skb_store_bytes(ctx, offset, from, size, BPF_F_RECOMPUTE_CSUM);
}

/* Sets the frame's addresses; false where there is no frame. */
static __always_inline bool hook_address(hook_ctx *ctx, const struct hop *hop)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));

	if (!frame)
		return false;
	frame->dst = hop->dst;
	frame->src = hop->src;
	return true;
}

/* Makes the IP header one of the other family's size, contents undefined. more: bytes of IPv6's extension header. */
static __always_inline bool hook_change_family(hook_ctx *ctx, __u8 family, __u32 more)
{
	bool ipv4 = family == FAMILY_IPV4;

	if (ipv4 && more && bpf_skb_adjust_room(ctx, -(int)more, BPF_ADJ_ROOM_NET, 0))
		return false;
	if (bpf_skb_change_proto(ctx, bpf_htons(ipv4 ? ETH_P_IP : ETH_P_IPV6), 0) || !packet_set_family(ctx, family))
		return false;
	return ipv4 || !more || !bpf_skb_adjust_room(ctx, more, BPF_ADJ_ROOM_NET, 0);
}

static __always_inline int hook_send(hook_ctx *ctx, const struct packet *pkt, const struct hop *hop)
{
	(void)pkt;
	return hook_address(ctx, hop) ? (int)bpf_redirect(hop->ifindex, 0) : TC_ACT_SHOT;
}

/* Sends a copy; the packet itself stays. */
static __always_inline void hook_send_copy(hook_ctx *ctx, const struct hop *hop)
{
	if (hook_address(ctx, hop))
		bpf_clone_redirect(ctx, hop->ifindex, 0);
}

static __always_inline void hook_set_from(hook_ctx *ctx, const struct packet *pkt)
{
	hook_set_mark(ctx, clock_ms(clock_ns()) << HOLD_SINCE_SHIFT | (pkt->from & HOLD_FROM));
}

/* Has a copy come back later, see hook_has_waited(). */
static __always_inline void hook_hold_copy(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	if (!settings->siding_wait)
		return;
	hook_set_from(ctx, pkt);
	bpf_clone_redirect(ctx, settings->siding_wait, 0);
	hook_set_mark(ctx, 0);
}

/* Has the packet itself come back later. */
static __always_inline int hook_hold(hook_ctx *ctx, const struct settings *settings)
{
	(void)ctx;
	return settings->siding_wait ? (int)bpf_redirect(settings->siding_wait, 0) : TC_ACT_SHOT;
}

/* Has the packet come back at once with its checksum finished. */
static __always_inline int hook_finish(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	hook_set_mark(ctx, pkt->from & HOLD_FROM);
	return bpf_redirect(settings->siding_done, 0);
}

/* Has a copy come back at once as the rest, see hook_is_rest(). */
static __always_inline void hook_send_rest(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	hook_set_mark(ctx, HOLD_REST | (pkt->from & HOLD_FROM));
	bpf_clone_redirect(ctx, settings->siding_done, 0);
	hook_set_mark(ctx, 0);
}

/* Takes out size bytes behind an IPv4 header without options. */
static __always_inline long hook_close_gap(hook_ctx *ctx, __u32 size)
{
	return bpf_skb_adjust_room(ctx, -(int)size, BPF_ADJ_ROOM_NET, 0);
}

/*
 * Is the transport checksum left to whoever sends the packet (CHECKSUM_PARTIAL)? Only a helper knows: it changes the
 * checksum of finished packets alone. Asked of TCP and SCTP.
 */
static __always_inline bool hook_is_unfinished(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 offset = pkt->protocol == IPPROTO_SCTP ? __builtin_offsetof(struct sctp_header, check)
						     : __builtin_offsetof(struct tcphdr, check);
	__u16 before, after;
	__u16 *check;

	offset += pkt->l4 & MAX_OFFSET;
	check = packet_at(ctx, offset, sizeof(*check));
	if (!check)
		return false;
	before = *check;
	bpf_l4_csum_replace(ctx, offset, 0, 1, 0);
	check = packet_at(ctx, offset, sizeof(*check));
	if (!check)
		return false;
	after = *check;
	*check = before;
	return before == after;
}

/* Cuts or extends the frame to that size. */
static __always_inline bool hook_resize(hook_ctx *ctx, __u32 size)
{
	return !bpf_skb_change_tail(ctx, size, 0);
}

/* Opens a gap of size bytes behind the IP header; its offset, or one beyond MAX_OFFSET. The packet is finished. */
static __always_inline __u32 hook_open_gap(hook_ctx *ctx, const struct packet *pkt, __u32 size)
{
	if (bpf_skb_adjust_room(ctx, size, BPF_ADJ_ROOM_NET, BPF_F_ADJ_ROOM_FIXED_GSO))
		return MAX_OFFSET + 1;
	return pkt->l3 + (pkt->family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

static __always_inline int hook_send_neighbour(hook_ctx *ctx, struct packet *pkt)
{
	struct neighbour *to = &pkt->neighbour;

	(void)ctx;
	/*
	 * A packet from lo still has lo's route, and the kernel would take the neighbour of that one when it sends what
	 * waited for an answer (neigh_update). Without via it looks up the route anew and replaces it.
	 */
	if (pkt->from_local_client)
		return bpf_redirect_neigh(to->ifindex, NULL, 0, 0);
	return bpf_redirect_neigh(to->ifindex, &to->via, sizeof(to->via), 0);
}

/* To a socket of the director: in through `lo`, where only a frame with both addresses zero is the host's own. */
static __always_inline int hook_send_local(hook_ctx *ctx)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct mac zero = {};

	if (!frame)
		return TC_ACT_SHOT;
	frame->dst = zero;
	frame->src = zero;
	return bpf_redirect(LOOPBACK_IFINDEX, BPF_F_INGRESS);
}

/*
 * Back by the interface that it came in by, the frame's addresses turned round. Of one that was detoured the sender's
 * station is lost, so the kernel finds the way; without the mark, by which it would come here again.
 */
static __always_inline int hook_send_back(hook_ctx *ctx, const struct packet *pkt)
{
	if (!pkt->is_detoured)
		return (int)bpf_redirect(pkt->from, 0);
	hook_set_mark(ctx, 0);
	return (int)bpf_redirect_neigh(pkt->from, NULL, 0, 0);
}

/* Back to the station that it came from. */
static __always_inline int hook_return(hook_ctx *ctx, const struct packet *pkt)
{
	struct frame *frame = packet_at(ctx, 0, sizeof(*frame));
	struct mac sender;

	if (!frame)
		return TC_ACT_SHOT;
	sender = frame->src;
	frame->src = frame->dst;
	frame->dst = sender;
	return hook_send_back(ctx, pkt);
}

static __always_inline int hook_action(enum verdict verdict)
{
	return verdict < DROP_NO_SERVER ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

#endif
