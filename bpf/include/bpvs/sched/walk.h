/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks a plan's servers in a circle and stops at the first usable one whose weight reaches a threshold. */
#ifndef BPVS_SCHED_WALK_H
#define BPVS_SCHED_WALK_H

#include "list.h"

struct walk {
	__u32 first; /* row of `servers` */
	__u32 count;
	__u32 from;      /* place to begin at */
	__u32 threshold; /* least weight, 1 or more */
	__u32 found;     /* place, or NO_SERVER */
};

static long walk_step(__u32 index, struct walk *walk)
{
	__u32 place = walk->from + index;
	struct server *server;

	if (place >= walk->count)
		place -= walk->count;
	server = server_at(walk->first, place);
	if (!server || server->weight < walk->threshold || !server_is_usable(server))
		return 0;
	walk->found = place;
	return 1;
}

/* The place found within so many steps, or NO_SERVER. */
static __always_inline __u32 walk_find(struct walk *walk, __u32 from, __u32 steps)
{
	walk->found = NO_SERVER;
	walk->from = from < walk->count ? from : 0;
	if (steps && !walk_step(0, walk) && steps > 1) { /* nearly always the first one fits: spare the loop */
		walk->from++;
		bpf_loop(steps - 1, walk_step, walk, 0);
	}
	return walk->found;
}

#endif
