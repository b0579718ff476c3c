/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a packet goes next: the FIB's answer, remembered for HOP_FRESH. Toward a real server each CPU remembers one per
 * server (`traffic`), toward the client the connection does (conn.back). One packet per refresh goes through the kernel's
 * neighbour code (pkt->neighbour), which asks for unknown stations and makes sure of those that it knows. XDP cannot do
 * that: it leaves a packet for each station to TC from time to time, or one that fell silent would be sent to forever.
 */
#ifndef BPVS_NEXTHOP_H
#define BPVS_NEXTHOP_H

#include "clock.h"
#include "maps.h"
#include "packet.h"

#define HOP_FRESH 1000  /* units of clock_ms() */
#define HOP_VERIFIED 30 /* units of hop_second(): as long as the kernel believes an answer (base_reachable_time) */
#define HOP_MTU 0xffff  /* no IP packet is longer */

#define GATEWAY_FACTOR 0x61c8864680b583eb /* that of the kernel's hash_64() */

/* Where a packet is going: `from` is the interface that it came in by, or lo for what the director sends as its own. */
struct way {
	const struct address *src;
	const struct address *dst;
	__u32 from;
};

static __always_inline void fib_ask(struct bpf_fib_lookup *fib, const struct packet *pkt, const struct way *way)
{
	const struct address *src = way->src, *dst = way->dst;

	fib->family = address_is_ipv4(dst) ? FAMILY_IPV4 : FAMILY_IPV6;
	fib->l4_protocol = pkt->protocol;
	fib->ifindex = way->from;
	fib->tot_len = 1; /* anything above 0 makes the kernel tell the route's MTU */
	if (fib->family == FAMILY_IPV4) {
		fib->ipv4_src = src->word[3];
		fib->ipv4_dst = dst->word[3];
	} else {
		__builtin_memcpy(fib->ipv6_src, src, sizeof(*src));
		__builtin_memcpy(fib->ipv6_dst, dst, sizeof(*dst));
	}
}

static __always_inline void fib_neighbour(const struct bpf_fib_lookup *fib, struct neighbour *neighbour)
{
	neighbour->ifindex = fib->ifindex;
	neighbour->via.nh_family = fib->family;
	if (fib->family == FAMILY_IPV4)
		neighbour->via.ipv4_nh = fib->ipv4_dst;
	else
		__builtin_memcpy(neighbour->via.ipv6_nh, fib->ipv6_dst, sizeof(fib->ipv6_dst));
}

/* Units of 2^30 ns (1.07 s), wrapping after 19 hours. */
static __always_inline __u16 hop_second(void)
{
	return clock_ms(clock_ns()) >> 10;
}

/* Of the stations toward servers that are remembered: was none of the kernel's packets sent there for long? */
static __always_inline bool hop_is_doubtful(const struct packet *pkt, const struct hop *hop)
{
	return pkt->direction == DIR_IN && hop->ifindex && (__u16)(hop_second() - hop->verified) > HOP_VERIFIED;
}

/*
 * The same of a station toward clients, which many connections share: true for one packet in HOP_VERIFIED. Each station has
 * its place in runtime.gateways, by its MAC address; one that takes another's place counts as verified.
 */
static __always_inline bool hop_gateway_is_doubtful(const struct bpf_fib_lookup *fib)
{
	const __u16 *mac = (const __u16 *)fib->dmac;
	__u64 known, station = (__u64)mac[0] << 32 | (__u64)mac[1] << 16 | mac[2];
	struct runtime *runtime = runtime_get();
	__u64 *place;

	if (!runtime)
		return false;
	place = &runtime->gateways[station * GATEWAY_FACTOR >> (64 - GATEWAY_BITS)];
	known = *place;
	if (known >> 16 == station && (__u16)(hop_second() - known) <= HOP_VERIFIED)
		return false;
	*place = station << 16 | hop_second();
	return known >> 16 == station;
}

/* Asks for the next hop and remembers it, or tells why the packet cannot go on. */
static __always_inline enum verdict hop_refresh(hook_ctx *ctx, struct packet *pkt, const struct way *way,
						struct hop *hop)
{
	bool is_doubtful = hop_is_doubtful(pkt, hop);
	struct bpf_fib_lookup fib = {};
	int answer;

	fib_ask(&fib, pkt, way);
	answer = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (answer && answer != BPF_FIB_LKUP_RET_NO_NEIGH)
		return answer == BPF_FIB_LKUP_RET_FWD_DISABLED ? DROP_NOT_FORWARDING : DROP_NO_ROUTE;
	if (!answer && !HOOK_IS_COMPLETE) {
		if (is_doubtful || !hook_reaches(fib.ifindex))
			return PASS_TO_TC;
		if (pkt->direction == DIR_OUT && hop_gateway_is_doubtful(&fib))
			return PASS_TO_TC;
	}
	if (HOOK_IS_COMPLETE && (answer || is_doubtful || !pkt->from_local_client)) {
		fib_neighbour(&fib, &pkt->neighbour);
		hop->verified = hop_second();
	}
	if (answer || (is_doubtful && pkt->from_local_client)) {
		hop->ifindex = 0;
		return HOOK_IS_COMPLETE ? FORWARDED : PASS_TO_TC;
	}
	if (!hop->ifindex)
		hop->verified = hop_second();
	hop->ifindex = fib.ifindex;
	__builtin_memcpy(&hop->dst, fib.dmac, sizeof(hop->dst));
	__builtin_memcpy(&hop->src, fib.smac, sizeof(hop->src));
	hop->mtu = fib.mtu_result < HOP_MTU ? fib.mtu_result : HOP_MTU;
	hop->until = clock_ms(clock_ns()) + HOP_FRESH;
	return FORWARDED;
}

/*
 * Asks for the hop of a connection's packet, in the packet's direction. What the director sends as its own needs no
 * forwarding to be switched on: to servers by DR, TUN and FullNAT, as IPVS, and what servers of FullNAT replied to it.
 */
static __noinline enum verdict hop_ask(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				       struct hop *hop)
{
	enum verdict verdict;
	struct way way;

	if (!pkt || !conn || !dest || !hop)
		return DROP_NO_ROUTE;
	if (pkt->direction == DIR_OUT) {
		way.src = &conn->virtual;
		way.dst = &conn->client;
		way.from = conn->method == METHOD_FULLNAT ? LOOPBACK_IFINDEX : pkt->from;
	} else {
		way.src = conn->method == METHOD_TUNNEL ? &dest->tunnel.source : &conn->local;
		way.dst = conn->method == METHOD_BYPASS ? &conn->virtual : &conn->server;
		way.from = conn->method == METHOD_NAT ? pkt->from : LOOPBACK_IFINDEX;
		if (address_is_none(
			    way.src)) /* there was no way when the tunnel was set up, so nobody knows its source */
			return DROP_NO_ROUTE;
	}
	verdict = hop_refresh(ctx, pkt, &way, hop);
	if (conn->method == METHOD_BYPASS && pkt->direction == DIR_IN)
		hop->until -= HOP_FRESH + 1; /* the next packet may go elsewhere */
	return verdict;
}

/*
 * Is the packet's destination an address of the director? An address without a route counts as one: the FIB does not tell
 * them apart.
 */
static __noinline int is_for_director(hook_ctx *ctx, const struct packet *pkt)
{
	struct bpf_fib_lookup fib = {};
	struct way way;

	if (!pkt)
		return false;
	way.src = &pkt->key.src;
	way.dst = &pkt->key.dst;
	way.from = LOOPBACK_IFINDEX;
	fib_ask(&fib, pkt, &way);
	return bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

static __always_inline bool hop_is_fresh(const struct hop *hop)
{
	return hop->ifindex && hop->until - clock_ms(clock_ns()) <= HOP_FRESH; /* past: wraps to a large number */
}

/* Sends the packet by the hop, or has the kernel's neighbour code do it. */
static __always_inline int hop_send(hook_ctx *ctx, struct packet *pkt, const struct hop *hop)
{
	int action = hook_action(DROP_NO_ROUTE);

	if (hop->ifindex)
		action = hook_send(ctx, pkt, hop);
	if (pkt->neighbour.ifindex)
		action = hook_send_neighbour(ctx, pkt);
	return action;
}

#endif
