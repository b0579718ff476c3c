/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which real server a new connection gets: the schedulers by number.
 *
 * All give the place of a server in the plan's list, or NO_SERVER. Most look at plan, packet and counts only. Those that
 * take turns are given plan.turn and also say what it becomes; whoever moves plan.turn from the value it saw has made
 * the choice, the others try again. Nobody holds a lock.
 */
#ifndef BPVS_CHOOSE_H
#define BPVS_CHOOSE_H

#include "sched/dh.h"
#include "sched/fo.h"
#include "sched/lblc.h"
#include "sched/lblcr.h"
#include "sched/lc.h"
#include "sched/mh.h"
#include "sched/nq.h"
#include "sched/ovf.h"
#include "sched/rr.h"
#include "sched/sed.h"
#include "sched/sh.h"
#include "sched/twos.h"
#include "sched/wlc.h"
#include "sched/wrr.h"

#define TURN_ATTEMPTS 8 /* CPUs in each other's way more often than that share a turn */

/* Not static, like all schedulers: the verifier looks at each by itself, and once, not once an attempt. */
__noinline __u32 choose_in_turn(struct plan *plan)
{
	__u32 place = NO_SERVER;

	if (!plan)
		return NO_SERVER;
	for (int i = 0; i < TURN_ATTEMPTS; i++) {
		__u64 turn = plan->turn, next = turn;

		place = plan->scheduler == SCHED_RR ? sched_rr(plan, turn, &next) : sched_wrr(plan, turn, &next);
		if (__sync_val_compare_and_swap(&plan->turn, turn, next) == turn)
			break;
	}
	return place;
}

/* Inline: each call more takes 32 bytes of the stack. */
static __always_inline __u32 choose_place(struct plan *plan, const struct packet *pkt)
{
	/* This spares the search. A cache is told when a destination is asked for, served or not. */
	if (!(plan->flags & PLAN_SERVES) && !plan_has_cache(plan))
		return NO_SERVER;
	switch (plan->scheduler) {
	case SCHED_RR:
	case SCHED_WRR:
		return choose_in_turn(plan);
	case SCHED_LC:
		return sched_lc(plan);
	case SCHED_WLC:
		return sched_wlc(plan);
	case SCHED_LBLC:
		return sched_lblc(plan, pkt);
	case SCHED_LBLCR:
		return sched_lblcr(plan, pkt);
	case SCHED_DH:
		return sched_dh(plan, pkt);
	case SCHED_SH:
		return sched_sh(plan, pkt);
	case SCHED_SED:
		return sched_sed(plan);
	case SCHED_NQ:
		return sched_nq(plan);
	case SCHED_FO:
		return sched_fo(plan);
	case SCHED_OVF:
		return sched_ovf(plan);
	case SCHED_MH:
		return sched_mh(plan, pkt);
	case SCHED_TWOS:
		return sched_twos(plan);
	default:
		return NO_SERVER;
	}
}

/* The server, or NULL: none may have new connections. */
static __always_inline struct server *choose(struct plan *plan, const struct packet *pkt)
{
	__u32 place = choose_place(plan, pkt);

	return place == NO_SERVER ? NULL : server_at(plan->first, place);
}

#endif
