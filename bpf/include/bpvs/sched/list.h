/* SPDX-License-Identifier: GPL-2.0-only */
/* A plan's servers: rows of `servers` from plan.first on, newest first. Schedulers name them by place in that list. */
#ifndef BPVS_SCHED_LIST_H
#define BPVS_SCHED_LIST_H

#include "../load.h"
#include "../maps.h"

#define NO_SERVER 0xffffffffU

static __always_inline struct server *server_at(__u32 first, __u32 place)
{
	__u32 row = first + place;

	return bpf_map_lookup_elem(&servers, &row);
}

static __always_inline struct dest *server_dest(const struct server *server)
{
	return bpf_map_lookup_elem(&dests, &server->dest);
}

/* May it have new connections? */
static __always_inline bool server_is_usable(const struct server *server)
{
	struct dest *dest;

	if (!server->weight)
		return false;
	if (!(server->flags & SERVER_LIMITED))
		return true;
	dest = server_dest(server);
	return dest && !dest->overloaded;
}

#endif
