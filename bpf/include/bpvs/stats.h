/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting: one update a packet, on this CPU's row of the real server; other fates by name. The fragments of a datagram
 * count as one packet, as in IPVS, which puts them together.
 */
#ifndef BPVS_STATS_H
#define BPVS_STATS_H

#include "maps.h"
#include "packet.h"

static __always_inline void count_connection(__u32 dest)
{
	struct lane *lane = bpf_map_lookup_elem(&traffic, &dest);

	if (lane && dest) /* row 0: see bypass.h */
		lane->counters.connections++;
}

static __always_inline void count_packet(const struct packet *pkt, struct lane *lane)
{
	struct counters *counters = &lane->counters;

	if (pkt->direction == DIR_IN) {
		counters->in_packets += !pkt->is_fragment;
		counters->in_bytes += pkt->length;
	} else {
		counters->out_packets += !pkt->is_fragment;
		counters->out_bytes += pkt->length;
	}
}

static __always_inline void count_verdict(enum verdict verdict)
{
	__u32 key = verdict;
	__u64 *count = bpf_map_lookup_elem(&verdicts, &key);

	if (count)
		(*count)++;
}

#endif
