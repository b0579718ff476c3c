/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MTU of the way to a real server, as routers on it have told by ICMP. Asked where the director itself makes packets
 * longer, by a tunnel's headers or by TOA: the sender of the packet inside cannot know.
 */
#ifndef BPVS_PATH_MTU_H
#define BPVS_PATH_MTU_H

#include "clock.h"
#include "maps.h"
#include "packet.h"

#define PATH_MTU_KEPT 600000 /* units of clock_ms(): as the kernel keeps it (net.ipv4.route.mtu_expires) */
#define PATH_MTU_LEAST 576

/* The way's, which begins with an interface of that MTU. */
static __always_inline __u32 path_mtu(const struct dest *dest, __u32 mtu)
{
	__u32 path = dest->path_mtu;

	if (path && path < mtu && (__s32)(dest->path_mtu_until - clock_ms(clock_ns())) > 0)
		mtu = path;
	return mtu;
}

static __always_inline void path_mtu_note(struct dest *dest, __u32 mtu)
{
	dest->path_mtu = mtu > PATH_MTU_LEAST ? mtu : PATH_MTU_LEAST;
	dest->path_mtu_until = clock_ms(clock_ns()) + PATH_MTU_KEPT;
}

/* Does the error say that a packet was too big? Then *mtu is what would have passed. */
static __always_inline bool icmp_is_too_big(const struct icmp_header *icmp, __u8 family, __u32 *mtu)
{
	bool ipv4 = family == FAMILY_IPV4;

	if (ipv4 ? icmp->type != ICMP_UNREACHABLE || icmp->code != ICMP_TOO_BIG_CODE : icmp->type != ICMPV6_TOO_BIG)
		return false;
	*mtu = bpf_ntohl(icmp->rest) & (ipv4 ? 0xffff : ~0U);
	return true;
}

/* Takes note of an error that is about a packet to the server. Not static: verified once. */
__noinline int path_mtu_learn(hook_ctx *ctx, const struct packet *pkt, struct dest *dest)
{
	struct icmp_header *icmp = pkt ? packet_at(ctx, pkt->l4, sizeof(*icmp)) : NULL;
	__u32 mtu;

	if (icmp && dest && icmp_is_too_big(icmp, pkt->family, &mtu))
		path_mtu_note(dest, mtu);
	return 0;
}

#endif
