/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks a plan's servers in a circle and stops at the first usable one whose weight reaches a threshold. */
#ifndef BPVS_SCHED_WALK_H
#define BPVS_SCHED_WALK_H

#include "../maps.h"

#define NO_SERVER 0xffffffffU

struct walk {
	__u32 first; /* row of `servers` */
	__u32 count;
	__u32 at;        /* next row to look at, counted from first */
	__u32 threshold; /* least weight, 1 or more */
	__u32 found;
};

/* May it have new connections? */
static __always_inline bool server_is_usable(const struct server *server)
{
	struct dest *dest;

	if (!server->weight)
		return false;
	if (!(server->flags & SERVER_LIMITED))
		return true;
	dest = bpf_map_lookup_elem(&dests, &server->dest);
	return dest && !dest->overloaded;
}

static long walk_step(__u32 index, struct walk *walk)
{
	__u32 row = walk->at < walk->count ? walk->at : 0;
	__u32 key = walk->first + row;
	struct server *server = bpf_map_lookup_elem(&servers, &key);

	(void)index;
	walk->at = row + 1;
	if (!server || server->weight < walk->threshold || !server_is_usable(server))
		return 0;
	walk->found = row;
	return 1;
}

/* The row found within so many steps, or NO_SERVER. */
static __always_inline __u32 walk_find(struct walk *walk, __u32 steps)
{
	walk->found = NO_SERVER;
	if (steps && !walk_step(0, walk) && steps > 1) /* nearly always the first one fits: spare the loop */
		bpf_loop(steps - 1, walk_step, walk, 0);
	return walk->found;
}

#endif
