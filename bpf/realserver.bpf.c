/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a real server behind a director needs, without modules and devices:
 *
 *	realserver_in	TC ingress: ends tunnels to the VIPs, keeps quiet when somebody asks for a VIP's station
 *	toa_learn_peer	sock_ops: remembers in its socket the client that a full-NAT director tells of by TOA
 *	toa_peer4/6	getpeername() and accept() give that client's address
 */
#include "bpvs/realserver/arp.h"
#include "bpvs/realserver/decap.h"
#include "bpvs/realserver/toa.h"

#define PACKET_HOST 0 /* <linux/if_packet.h> */

/* Brings the numbers of abi.h into the BTF, for Python. */
struct agent_numbers {
	enum agent_limits limits;
	enum vip_flags vip_flags;
	enum device_flags device_flags;
	enum fate fate;
	struct prefix prefix;
};
const volatile struct agent_numbers agent_numbers SEC(".rodata") = {};

static __always_inline bool outer_read(hook_ctx *ctx, struct outer *outer)
{
	if (ctx->protocol == bpf_htons(ETH_P_IP))
		return outer_ipv4(ctx, outer);
	return ctx->protocol == bpf_htons(ETH_P_IPV6) && outer_ipv6(ctx, outer);
}

/* Why a tunnel's packet is not let in; FATE_NONE if it is. */
static __always_inline enum fate admit(hook_ctx *ctx, struct outer *outer)
{
	enum fate fate;

	if (outer->is_fragment)
		return LEFT_FRAGMENT;
	if (!outer_is_local(ctx, outer))
		return LEFT_NOT_LOCAL;
	if (!outer_is_trusted(outer))
		return LEFT_UNTRUSTED;
	fate = outer_open(ctx, outer);
	return fate ? fate : inner_admit(ctx, outer);
}

/* Makes the inner packet what it must be behind the tunnel; FATE_NONE, or why it is dropped. */
static __always_inline enum fate finish(hook_ctx *ctx, const struct outer *outer)
{
	if (is_train(ctx, outer))
		return DROPPED_REFUSED;
	if (!outer_sum_is_right(ctx, outer))
		return DROPPED_CHECKSUM;
	if (!remcsum_finish(ctx, outer))
		return DROPPED_CHECKSUM;
	return outer->inner_family == FAMILY_IPV4 ? ecn_ipv4(ctx, outer) : ecn_ipv6(ctx, outer);
}

static __always_inline int end_tunnel(hook_ctx *ctx, struct outer *outer)
{
	enum fate fate = admit(ctx, outer);
	int action = TC_ACT_UNSPEC;

	if (!fate) {
		fate = finish(ctx, outer);
		action = fate ? TC_ACT_SHOT : strip(ctx, outer);
		if (!fate)
			fate = action == TC_ACT_SHOT ? DROPPED_REFUSED : ended_by(outer);
	}
	count_fate(fate);
	return action;
}

/* Then the VLAN's own interface will see it. VLAN 0 is none: such a tag gives a priority only. */
static __always_inline bool in_vlan(hook_ctx *ctx)
{
	return ctx->vlan_present && ctx->vlan_tci & VLAN_ID;
}

SEC("tc")
int realserver_in(hook_ctx *ctx)
{
	struct agent_settings *settings = agent_settings_get();
	struct outer outer = {};

	if (!settings || in_vlan(ctx))
		return TC_ACT_UNSPEC;
	outer_pull(ctx, PULL_FIRST);
	if (ctx->protocol == bpf_htons(ETH_P_ARP)) {
		if (!arp_asks_for_vip(ctx))
			return TC_ACT_UNSPEC;
		count_fate(DROPPED_ARP);
		return TC_ACT_SHOT;
	}
	if (ctx->pkt_type != PACKET_HOST || !outer_read(ctx, &outer))
		return TC_ACT_UNSPEC;
	if (!outer_is_tunnel(ctx, &outer, settings->gue_port))
		return TC_ACT_UNSPEC;
	outer_pull(ctx, PULL_BYTES);
	return end_tunnel(ctx, &outer);
}

static __always_inline bool is_our_namespace(__u64 cookie)
{
	struct agent_settings *settings = agent_settings_get();

	return settings && settings->netns == cookie;
}

static __always_inline void listen_on(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG);
}

static __always_inline void listen_no_more(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG);
}

/*
 * The first data may have passed by unseen: segments that the kernel predicts are not shown to us. Once the server has
 * spoken, the director does not tell any more, and what looks like it is the client's own.
 */
static __always_inline bool toa_is_over(struct bpf_sock_ops *ctx)
{
	return ctx->bytes_received || ctx->data_segs_out || toa_learn(ctx) || segment_has_data(ctx);
}

SEC("sockops")
int toa_learn_peer(struct bpf_sock_ops *ctx)
{
	if (!is_our_namespace(bpf_get_netns_cookie(ctx)))
		return 1;
	if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && !toa_learn(ctx) && !segment_has_data(ctx))
		listen_on(ctx);
	else if (ctx->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB && toa_is_over(ctx))
		listen_no_more(ctx);
	return 1;
}

static __always_inline struct toa_client *toa_peer(struct bpf_sock_addr *ctx)
{
	return ctx->sk ? bpf_sk_storage_get(&clients, ctx->sk, NULL, 0) : NULL;
}

/* An IPv4 socket cannot tell of an IPv6 client: it gives the director's address, as without TOA. */
SEC("cgroup/getpeername4")
int toa_peer4(struct bpf_sock_addr *ctx)
{
	struct toa_client *client = toa_peer(ctx);

	if (client && address_is_ipv4(&client->address)) {
		ctx->user_ip4 = client->address.word[3];
		ctx->user_port = client->port;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int toa_peer6(struct bpf_sock_addr *ctx)
{
	struct toa_client *client = toa_peer(ctx);

	if (client) {
		ctx->user_ip6[0] = client->address.word[0];
		ctx->user_ip6[1] = client->address.word[1];
		ctx->user_ip6[2] = client->address.word[2];
		ctx->user_ip6[3] = client->address.word[3];
		ctx->user_port = client->port;
	}
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
