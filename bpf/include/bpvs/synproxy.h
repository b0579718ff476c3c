/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYNPROXY: a client must answer a cookie before anything is remembered of it.
 *
 *	client            director              real server
 *	  | SYN  ---------> |                      |      synproxy_greet: no state, window 0, so that the client waits
 *	  | <-- SYN, ACK -- |  number = cookie     |
 *	  | ACK  ---------> |                      |      synproxy_open: the ACK becomes the SYN that the client had sent,
 *	  |                 | SYN ---------------> |      and goes on as any first packet
 *	  |                 | <--------- SYN, ACK  |      synproxy_complete: one packet becomes two
 *	  | <--- ACK, window| ACK ---------------> |
 *	  | <== both ways, numbers translated ===> |      sequence.h
 *
 * While SYNs are few, a copy of each cookie waits in the siding and is sent again, three times, if its client was not heard
 * of, whose ACK may be lost: one that waits for the server's first word would wait for ever. In a flood nothing is kept.
 *
 * Lost packets: the client repeats its SYN, or probes the closed window, which opens as its ACK would have; the SYN to the
 * server is repeated from the siding; the server repeats its SYN, ACK until it has our ACK (synproxy_confirm). The
 * director answers only what is no answer of its own kind: no storm of ACKs can begin here.
 */
#ifndef BPVS_SYNPROXY_H
#define BPVS_SYNPROXY_H

#include "conn.h"
#include "cookie.h"
#include "limit.h"
#include "segment.h"
#include "service.h"
#include "toa.h"

#define PROXY_SCALE 7       /* the window scale that clients are told, of those who offer one */
#define PROXY_MSS_IPV4 1452 /* Ethernet's, less room for TOA */
#define PROXY_MSS_IPV6 1420
#define CONFIRM_WINDOW 0x1000 /* small enough for whoever does not scale */
#define SYN_AGAIN 1000        /* units of clock_ms(); doubled each time */
#define SYN_TRIES 5           /* the last of them half a minute after the first */
#define FEW_GREETINGS 64      /* SYNs in a second that are no flood */
#define GREETING_AGAIN 800    /* units of clock_ms(); the mark of what waits tells no more than HOLD_SINCE_MASK */
#define GREETING_TRIES 3

/* What a connection remembers while its server has not answered; lies in conn.back, which is not needed yet. */
struct handshake {
	__u32 client_isn;
	__u32 cookie;
	__u32 again; /* when to repeat the SYN, see clock_ms() */
	__u16 window;
	__u8 tries;
	__u8 pad;
};

static __always_inline struct handshake *conn_handshake(struct conn *conn)
{
	return (struct handshake *)&conn->back;
}

static __always_inline bool synproxy_guards(const struct packet *pkt, const struct plan *plan)
{
	return plan->flags & PLAN_SYNPROXY && pkt->protocol == IPPROTO_TCP && !pkt->from_local_client &&
	       !pkt->is_opening && pkt->key.sport != bpf_htons(FTP_DATA_PORT);
}

static __always_inline __u32 tcp_number(hook_ctx *ctx, __u32 offset)
{
	__be32 *number = packet_at(ctx, offset, sizeof(*number));

	return number ? bpf_ntohl(*number) : 0;
}

static __always_inline __u32 tcp_seq(hook_ctx *ctx, const struct packet *pkt)
{
	return tcp_number(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, seq));
}

static __always_inline __u32 tcp_ack(hook_ctx *ctx, const struct packet *pkt)
{
	return tcp_number(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, ack_seq));
}

static __always_inline __u16 tcp_window(hook_ctx *ctx, const struct packet *pkt)
{
	__be16 *window = packet_at(ctx, pkt->l4 + __builtin_offsetof(struct tcphdr, window), sizeof(*window));

	return window ? bpf_ntohs(*window) : 0;
}

/* Answers a SYN with a cookie. Not static: verified once. */
__noinline int synproxy_greet(hook_ctx *ctx, struct packet *pkt)
{
	struct segment *segment;
	struct offer offer = {};
	__u32 isn;

	if (!pkt)
		return false;
	isn = tcp_seq(ctx, pkt);
	offer_read(ctx, pkt, &offer);
	segment = segment_new(&pkt->key.dst, &pkt->key.src, pkt->key.dport, pkt->key.sport, TCP_SYN | TCP_ACK);
	if (!segment)
		return false;
	segment->seq = cookie_make(&pkt->key, isn, cookie_data(offer.mss, offer.scale, offer.sack));
	segment->ack = isn + 1;
	offer.mss = pkt->family == FAMILY_IPV4 ? PROXY_MSS_IPV4 : PROXY_MSS_IPV6;
	if (offer.scale < NO_SCALE)
		offer.scale = PROXY_SCALE;
	segment->words = offer_write(&offer, segment->options);
	return segment_write(ctx, pkt);
}

/* Are SYNs few, and is there a siding? Asked by XDP, which leaves those to TC; counted by whoever answers. */
static __always_inline bool greetings_are_few(void)
{
	struct settings *settings = settings_get();
	struct runtime *runtime = runtime_get();

	if (!runtime || !settings || !settings->siding_wait)
		return false;
	return runtime->greetings < FEW_GREETINGS || (__s64)(clock_ns() - runtime->greetings_since) > (__s64)NS_PER_S;
}

static __always_inline bool greeting_take(void)
{
	struct runtime *runtime = runtime_get();

	return runtime && limit_take(&runtime->greetings, &runtime->greetings_since, FEW_GREETINGS);
}

/* Answers a cookie that is none, or a client that has brought one and gets no server. Not static: verified once. */
__noinline int synproxy_reset(hook_ctx *ctx, struct packet *pkt)
{
	struct segment *segment;

	if (!pkt)
		return false;
	segment = segment_new(&pkt->key.dst, &pkt->key.src, pkt->key.dport, pkt->key.sport, TCP_RST);
	if (!segment)
		return false;
	segment->seq = pkt->is_opening ? pkt->cookie + 1 : tcp_ack(ctx, pkt);
	return segment_write(ctx, pkt);
}

/* Turns the ACK that brought a cookie into the SYN that the client had sent. Not static: verified once. */
__noinline int synproxy_open(hook_ctx *ctx, struct packet *pkt, struct handshake *handshake)
{
	struct segment *segment;
	struct offer offer = {};

	if (!pkt || !handshake)
		return false;
	handshake->window = tcp_window(ctx, pkt);
	handshake->again = clock_ms(clock_ns()) + SYN_AGAIN;
	offer.mss = cookie_data_mss(handshake->cookie);
	offer.scale = handshake->cookie & COOKIE_SCALE;
	offer.sack = handshake->cookie & COOKIE_SACK;
	segment = segment_new(&pkt->key.src, &pkt->key.dst, pkt->key.sport, pkt->key.dport, TCP_SYN);
	if (!segment)
		return false;
	segment->seq = handshake->client_isn;
	segment->window = offer.scale < NO_SCALE ? 0xffff : handshake->window;
	segment->words = offer_write(&offer, segment->options);
	pkt->is_opening = true;
	pkt->cookie = handshake->cookie;
	return segment_write(ctx, pkt);
}

/* Does the packet bring a cookie of ours? */
static __noinline bool synproxy_opens(hook_ctx *ctx, const struct packet *pkt)
{
	__u32 client_isn = 0;

	if (!pkt || (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_ACK)
		return false;
	return cookie_check(&pkt->key, tcp_seq(ctx, pkt), tcp_ack(ctx, pkt) - 1, &client_isn);
}

/*
 * What a packet without a connection means to a guarded service: FORWARDED if it may open one (it then is a SYN again).
 * Only TC goes that far, since it has to keep a copy of the SYN.
 */
static __noinline enum verdict synproxy_admit(hook_ctx *ctx, struct packet *pkt, struct handshake *handshake,
					      const struct plan *plan)
{
	__u8 flags;

	if (!pkt || !handshake || !plan)
		return PASS_NO_CONNECTION;
	if (!address_is_host(&pkt->key.src))
		return PASS_MARTIAN;
	flags = pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);
	if (flags == TCP_SYN && !(plan->flags & PLAN_SERVES) && !(plan->timeout_s && plan->count))
		return DROP_NO_SERVER; /* persistence asks for no weight */
	if (flags == TCP_SYN)
		return !HOOK_IS_COMPLETE && greetings_are_few() ? PASS_TO_TC : ANSWER_COOKIE;
	if (flags != TCP_ACK)
		return PASS_NO_CONNECTION;
	handshake->cookie = tcp_ack(ctx, pkt) - 1;
	if (!cookie_check(&pkt->key, tcp_seq(ctx, pkt), handshake->cookie, &handshake->client_isn))
		return ANSWER_RESET;
	if (!HOOK_IS_COMPLETE)
		return PASS_TO_TC;
	return synproxy_open(ctx, pkt, handshake) ? FORWARDED : DROP_NO_ROOM;
}

/* The connection begins with the cookie as the number that the client knows. */
static __always_inline void synproxy_begin(struct conn *conn, const struct handshake *handshake)
{
	*conn_handshake(conn) = *handshake;
	conn->state |= CONN_SYNPROXY | CONN_PENDING;
}

#endif
