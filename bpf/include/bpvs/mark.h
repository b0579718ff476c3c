/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mark by which a packet's service is looked for. Rules of ours may give it one, where no netfilter has seen the packet
 * yet: the first that fits decides. Without such a rule, and if it is a probe, it has the mark that it came with.
 *
 * Asked only about packets that no connection claims.
 */
#ifndef BPVS_MARK_H
#define BPVS_MARK_H

#include "maps.h"
#include "packet.h"
#include "probe.h"

struct mark_search {
	const struct packet *pkt;
	__u32 first; /* row of `mark_rules` */
	__u32 mark;  /* what the rule that fits gives */
};

static __always_inline bool network_has(const struct address *network, const struct address *mask,
					const struct address *address)
{
	__u32 differs = 0;

	for (int i = 0; i < 4; i++)
		differs |= (network->word[i] ^ address->word[i]) & mask->word[i];
	return !differs;
}

static __always_inline bool rule_has_port(const struct mark_rule *rule, __u16 port)
{
	bool found = !rule->ranges;

	for (int i = 0; i < MARK_RULE_PORTS; i++)
		found |= i < rule->ranges && rule->ports[i].first <= port && port <= rule->ports[i].last;
	return found;
}

static __always_inline bool rule_fits(const struct mark_rule *rule, const struct packet *pkt)
{
	if (rule->family != pkt->family || (rule->protocol && rule->protocol != pkt->key.protocol))
		return false;
	if (rule->ifindex && rule->ifindex != pkt->from)
		return false;
	return network_has(&rule->dst, &rule->dst_mask, &pkt->key.dst) &&
	       network_has(&rule->src, &rule->src_mask, &pkt->key.src) &&
	       rule_has_port(rule, bpf_ntohs(pkt->key.dport));
}

static long mark_step(__u32 index, struct mark_search *search)
{
	__u32 row = search->first + index;
	struct mark_rule *rule = bpf_map_lookup_elem(&mark_rules, &row);

	if (!rule || !rule_fits(rule, search->pkt))
		return 0;
	search->mark = rule->mark;
	return 1;
}

/* What rules say, `in_force` as settings.mark_rules has them; 0: nothing. */
static __noinline __u32 mark_by_rule(const struct packet *pkt, __u32 in_force)
{
	struct mark_search search = { .pkt = pkt, .first = in_force >> 16 };

	if (!pkt)
		return 0;
	bpf_loop(in_force & 0xffff, mark_step, &search, 0);
	return search.mark;
}

static __always_inline __u32 mark_of(hook_ctx *ctx, const struct packet *pkt, const struct settings *settings)
{
	__u32 mark = probe_mark(ctx, pkt);

	if (!mark && settings->mark_rules)
		mark = mark_by_rule(pkt, settings->mark_rules);
	return mark ? mark : hook_mark(ctx);
}

#endif
