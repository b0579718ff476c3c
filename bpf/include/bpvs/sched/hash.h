/* SPDX-License-Identifier: GPL-2.0-only */
/* What sh, dh and mh hash, and their second search. */
#ifndef BPVS_SCHED_HASH_H
#define BPVS_SCHED_HASH_H

#include "../packet.h"
#include "slots.h"

#define GOLDEN_RATIO 0x61C88647U /* that of the kernel's hash_32() */

/* The search that begins where a server was found that may have no new connections: other hashes of the same number. */
struct rehash {
	__u32 first; /* row of `servers` */
	__u32 table; /* row of `slots` */
	__u32 value; /* mh: that is hashed */
	__u32 slot;  /* of its first hash */
	__u32 found; /* place, or NO_SERVER */
};

/* IPv4 as a number, IPv6 as the sum without carry of its words. */
static __always_inline __u32 hash_address(const struct address *address)
{
	if (address_is_ipv4(address))
		return bpf_ntohl(address->word[3]);
	return bpf_ntohl(address->word[0] ^ address->word[1] ^ address->word[2] ^ address->word[3]);
}

/* The client, for sh and mh. */
static __always_inline __u32 hash_client(const struct plan *plan, const struct packet *pkt)
{
	__u32 value = hash_address(&pkt->key.src);

	return plan->flags & PLAN_FLAG_2 ? value + bpf_ntohs(pkt->key.sport) : value;
}

/* 8 bits. */
static __always_inline __u32 hash_golden(__u32 value)
{
	return value * GOLDEN_RATIO >> 24;
}

static __always_inline struct rehash rehash_of(const struct plan *plan, __u32 value)
{
	struct rehash rehash = { .first = plan->first, .table = plan->slots, .value = value, .found = NO_SERVER };

	return rehash;
}

/* Looks into a slot; 1 if the search is over. */
static __always_inline long rehash_try(struct rehash *rehash, __u32 slot)
{
	__u32 place;
	struct server *server = slot_server(rehash->first, rehash->table, slot, &place);

	if (!server)
		return 1;
	if (!server_is_usable(server))
		return 0;
	rehash->found = place;
	return 1;
}

#endif
