/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYNPROXY's second half: the server has been sent a SYN and answers it, or does not. TC only, since one packet may have
 * to become two.
 */
#ifndef BPVS_HANDSHAKE_H
#define BPVS_HANDSHAKE_H

#include "nexthop.h"
#include "stats.h"
#include "synproxy.h"

static __always_inline bool handshake_scales(const struct handshake *handshake)
{
	return (handshake->cookie & COOKIE_SCALE) != NO_SCALE;
}

/* Compares what the server scales with what the client was told. */
static __always_inline void handshake_learn_scale(hook_ctx *ctx, const struct packet *pkt, struct conn *conn,
						  const struct handshake *handshake)
{
	struct offer offer = {};

	if (!handshake_scales(handshake))
		return;
	offer_read(ctx, pkt, &offer);
	if (offer.scale < NO_SCALE) {
		conn->scale = offer.scale - PROXY_SCALE;
	} else {
		conn->scale = -PROXY_SCALE;
		conn->client_scale = handshake->cookie & COOKIE_SCALE;
	}
}

/* The client's window as the server reads it. */
static __always_inline __u32 handshake_window(const struct conn *conn, const struct handshake *handshake)
{
	__u32 window = (__u32)handshake->window << (conn->client_scale & 15);

	return window > 0xffff ? 0xffff : window;
}

/* Makes the server's SYN, ACK the ACK for it; window: as the client told it. Not static: verified once. */
__noinline int handshake_confirm(hook_ctx *ctx, struct packet *pkt, const struct conn *conn, __u32 window)
{
	struct segment *segment;

	if (!pkt || !conn)
		return false;
	segment = segment_new(&conn->local, &conn->server, conn->local_port, conn->server_port, TCP_ACK);
	if (!segment)
		return false;
	segment->seq = tcp_ack(ctx, pkt);
	segment->ack = tcp_seq(ctx, pkt) + 1;
	segment->window = window;
	if (conn->state & CONN_TOA)
		segment->words = toa_option(conn, segment->options);
	return segment_write(ctx, pkt);
}

/* Tells the client: its window is open (ACK), or the server refused (RST). */
static __always_inline int handshake_tell(hook_ctx *ctx, struct packet *pkt, const struct conn *conn, __u8 flags,
					  const struct handshake *handshake, __u16 window)
{
	struct segment *segment;

	segment = segment_new(&conn->virtual, &conn->client, conn->virtual_port, conn->client_port, flags);
	if (!segment)
		return false;
	segment->seq = handshake->cookie + 1;
	segment->ack = handshake->client_isn + 1;
	segment->window = window;
	return segment_write(ctx, pkt);
}

/*
 * Copies what a connection remembers while it waits; false if it does so no more. Asked in this order, since another CPU
 * may end the waiting at any time (a server's answer may come twice), and put a hop in that place.
 */
static __always_inline bool handshake_read(struct conn *conn, struct handshake *handshake)
{
	*handshake = *conn_handshake(conn);
	barrier();
	return *(volatile __u32 *)&conn->state & CONN_PENDING;
}

/* Takes the connection out of its waiting; once, whoever else tries. What it remembered is gone afterwards. */
static __always_inline bool handshake_end(struct conn *conn)
{
	if (!(__sync_fetch_and_and(&conn->state, ~CONN_PENDING) & CONN_PENDING))
		return false;
	conn->back.ifindex = 0;
	return true;
}

static __always_inline int handshake_send(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest)
{
	enum verdict verdict;

	pkt->direction = DIR_OUT;
	verdict = hop_ask(ctx, pkt, conn, dest, &conn->back);
	if (verdict)
		return hook_action(verdict);
	return hop_send(ctx, pkt, &conn->back);
}

/* The server accepted: one ACK to it, one to the client, whose window opens. */
static __noinline int handshake_complete(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					 struct hop *hop)
{
	struct handshake handshake;
	__u16 window;

	if (!pkt || !conn || !dest || !hop)
		return hook_action(DROP_HANDSHAKE);
	if (!handshake_read(conn, &handshake))
		return hook_action(DROP_HANDSHAKE);
	window = tcp_window(ctx, pkt) >> (handshake_scales(&handshake) ? PROXY_SCALE : 0);
	handshake_learn_scale(ctx, pkt, conn, &handshake);
	conn->shift = handshake.cookie - tcp_seq(ctx, pkt);
	if (!handshake_end(conn)) /* from here on others translate by what was learnt */
		return hook_action(DROP_HANDSHAKE);
	conn_touch(pkt, conn);
	if (!handshake_confirm(ctx, pkt, conn, handshake_window(conn, &handshake)))
		return hook_action(DROP_NO_ROOM);
	pkt->direction = DIR_IN;
	conn_touch(pkt, conn);
	if (!hop_is_fresh(hop))
		hop_ask(ctx, pkt, conn, dest, hop);
	if (hop->ifindex) /* else the server asks again, see handshake_repeat */
		hook_send_copy(ctx, hop);
	if (!handshake_tell(ctx, pkt, conn, TCP_ACK, &handshake, window))
		return hook_action(DROP_NO_ROOM);
	return handshake_send(ctx, pkt, conn, dest);
}

/* The server refused, itself or by an ICMP error, or keeps silent: the client is told by RST. */
static __noinline int handshake_refuse(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest)
{
	struct settings *settings = settings_get();
	struct handshake handshake;

	if (!pkt || !conn || !dest)
		return hook_action(DROP_HANDSHAKE);
	if (!handshake_read(conn, &handshake) || !handshake_end(conn))
		return hook_action(DROP_HANDSHAKE);
	if (!handshake_tell(ctx, pkt, conn, TCP_RST | TCP_ACK, &handshake, 0))
		return hook_action(DROP_NO_ROOM);
	pkt->protocol = IPPROTO_TCP;
	conn_touch(pkt, conn);
	if (settings &&
	    greeting_take()) /* who waits for the server's first word hears of nothing else, should this get lost */
		hook_hold_copy(ctx, pkt, settings);
	return handshake_send(ctx, pkt, conn, dest);
}

/* To the server, what the packet has been made. */
static __always_inline int handshake_reply(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
					   struct hop *hop)
{
	pkt->direction = DIR_IN;
	if (!hop_is_fresh(hop) && hop_ask(ctx, pkt, conn, dest, hop))
		return hook_action(DROP_NO_ROUTE);
	return hop_send(ctx, pkt, hop);
}

/* The server did not get our ACK: another. */
static __noinline int handshake_repeat(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				       struct hop *hop)
{
	if (!pkt || !conn || !dest || !hop || !handshake_confirm(ctx, pkt, conn, CONFIRM_WINDOW))
		return hook_action(DROP_NO_ROOM);
	return handshake_reply(ctx, pkt, conn, dest, hop);
}

/* The server speaks of an older connection: RST ends that (RFC 9293, 3.10.7.3), and our next SYN begins the new one. */
static __noinline int handshake_reset(hook_ctx *ctx, struct packet *pkt, struct conn *conn, struct dest *dest,
				      struct hop *hop)
{
	struct segment *segment;

	if (!pkt || !conn || !dest || !hop)
		return hook_action(DROP_HANDSHAKE);
	segment = segment_new(&conn->local, &conn->server, conn->local_port, conn->server_port, TCP_RST);
	if (!segment)
		return hook_action(DROP_HANDSHAKE);
	segment->seq = tcp_ack(ctx, pkt);
	if (!segment_write(ctx, pkt))
		return hook_action(DROP_NO_ROOM);
	return handshake_reply(ctx, pkt, conn, dest, hop);
}

/* The connection that waits for the answer to this SYN of ours, or NULL. */
static __always_inline struct conn *handshake_of_syn(const struct packet *pkt)
{
	enum direction direction = DIR_IN;
	struct flow_key key = {};
	struct conn *conn;

	flow_key_turn(&pkt->key, &key);
	conn = conn_of_key(&key, &direction);
	return conn && direction == DIR_OUT && conn->state & CONN_PENDING ? conn : NULL;
}

/* Is it time to send the SYN again, or after SYN_TRIES to give up? Then the time after is set. */
static __always_inline bool handshake_is_due(struct conn *conn)
{
	struct handshake *handshake = conn_handshake(conn);

	if ((__s32)(handshake->again - clock_ms(clock_ns())) > 0)
		return false;
	handshake->tries++;
	handshake->again += SYN_AGAIN << (handshake->tries < SYN_TRIES ? handshake->tries : SYN_TRIES - 1);
	return true;
}

static __always_inline bool handshake_is_hopeless(struct conn *conn)
{
	return conn_handshake(conn)->tries > SYN_TRIES;
}

/* Does a packet of the server's side speak of our SYN, with that number? */
static __noinline bool handshake_is_meant(hook_ctx *ctx, const struct packet *pkt, __u32 isn)
{
	if (!pkt)
		return false;
	if (pkt->is_error)
		return tcp_number(ctx, pkt->inner_l4 + __builtin_offsetof(struct tcphdr, seq)) == isn;
	return pkt->tcp_flags & TCP_ACK && tcp_ack(ctx, pkt) == isn + 1;
}

/* Does the packet say that nobody is there? */
static __always_inline bool handshake_is_refusal(hook_ctx *ctx, const struct packet *pkt)
{
	struct icmp_header *icmp;

	if (!pkt->is_error)
		return pkt->tcp_flags & TCP_RST;
	icmp = packet_at(ctx, pkt->l4, sizeof(*icmp));
	if (!icmp)
		return false;
	if (pkt->family == FAMILY_IPV6)
		return icmp->type == ICMPV6_UNREACHABLE;
	return icmp->type == ICMP_UNREACHABLE && icmp->code != ICMP_TOO_BIG_CODE;
}

enum heard {
	HEARD_NOTHING,
	HEARD_ACCEPTANCE,
	HEARD_REPETITION,
	HEARD_REFUSAL,
	HEARD_STALE,
};

/* What the server's side says while its SYN, ACK is waited for, or says again when it has come. */
static __always_inline enum heard handshake_heard(hook_ctx *ctx, const struct packet *pkt, struct conn *conn)
{
	bool accepts = !pkt->is_error && (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
	struct handshake handshake;

	if (!handshake_read(conn, &handshake))
		return accepts ? HEARD_REPETITION : HEARD_NOTHING;
	if (!handshake_is_meant(ctx, pkt, handshake.client_isn))
		return !pkt->is_error && (pkt->tcp_flags & (TCP_ACK | TCP_RST)) == TCP_ACK ? HEARD_STALE
											   : HEARD_NOTHING;
	if (accepts)
		return HEARD_ACCEPTANCE;
	return handshake_is_refusal(ctx, pkt) ? HEARD_REFUSAL : HEARD_NOTHING;
}

/*
 * A packet of a connection behind SYNPROXY: FORWARDED with *action untouched, if it is to go the common way; FORWARDED with
 * *is_done if it was answered; else the verdict.
 */
static __always_inline enum verdict handshake_step(hook_ctx *ctx, struct packet *pkt, struct conn *conn,
						   struct dest *dest, struct lane *lane, int *action, bool *is_done)
{
	bool is_pending = conn->state & CONN_PENDING;
	enum heard heard;

	if (pkt->direction == DIR_IN)
		return !is_pending || pkt->is_opening || pkt->tcp_flags & TCP_RST ? FORWARDED : DROP_HANDSHAKE;
	heard = handshake_heard(ctx, pkt, conn);
	if (heard == HEARD_NOTHING)
		return is_pending ? DROP_HANDSHAKE : FORWARDED;
	if (!HOOK_IS_COMPLETE)
		return PASS_TO_TC;
	*is_done = true;
	count_verdict(ANSWER_SERVER);
	count_packet(pkt, lane);
	if (heard == HEARD_ACCEPTANCE)
		*action = handshake_complete(ctx, pkt, conn, dest, &lane->hop);
	else if (heard == HEARD_REPETITION)
		*action = handshake_repeat(ctx, pkt, conn, dest, &lane->hop);
	else if (heard == HEARD_STALE)
		*action = handshake_reset(ctx, pkt, conn, dest, &lane->hop);
	else
		*action = handshake_refuse(ctx, pkt, conn, dest);
	return FORWARDED;
}

#endif
