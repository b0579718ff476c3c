/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SCTP (RFC 9260): a common header, then chunks. What a packet means to its connection is the type of its first chunk;
 * an ABORT is told also behind a COOKIE ECHO or COOKIE ACK, as IPVS does (net/netfilter/ipvs/ip_vs_proto_sctp.c).
 */
#ifndef BPVS_SCTP_H
#define BPVS_SCTP_H

#include "packet.h"

struct sctp_chunk {
	__u8 type;
	__u8 flags;
	__be16 length; /* this header included, the padding to a multiple of 4 not */
};

/* Types, RFC 9260 section 3.2; of all others only their length matters. */
enum sctp_type {
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN = 7,
	SCTP_SHUTDOWN_ACK = 8,
	SCTP_ERROR = 9,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11,
	SCTP_SHUTDOWN_COMPLETE = 14,
};

static __always_inline enum sctp_event sctp_event(__u8 type)
{
	switch (type) {
	case SCTP_INIT:
		return CHUNK_INIT;
	case SCTP_INIT_ACK:
		return CHUNK_INIT_ACK;
	case SCTP_ABORT:
		return CHUNK_ABORT;
	case SCTP_SHUTDOWN:
		return CHUNK_SHUTDOWN;
	case SCTP_SHUTDOWN_ACK:
		return CHUNK_SHUTDOWN_ACK;
	case SCTP_ERROR:
		return CHUNK_ERROR;
	case SCTP_COOKIE_ECHO:
		return CHUNK_COOKIE_ECHO;
	case SCTP_COOKIE_ACK:
		return CHUNK_COOKIE_ACK;
	case SCTP_SHUTDOWN_COMPLETE:
		return CHUNK_SHUTDOWN_COMPLETE;
	default:
		return CHUNK_DATA;
	}
}

/* Is the chunk that follows one of this length, at offset, an ABORT? */
static __always_inline bool sctp_aborts(hook_ctx *ctx, const struct packet *pkt, __u32 offset, __u32 length)
{
	struct sctp_chunk chunk = {};

	offset += (length + 3) & ~3U;
	if (length < sizeof(chunk) || offset + sizeof(chunk) > pkt->l3 + pkt->length)
		return false;
	return !hook_load(ctx, offset, &chunk, sizeof(chunk)) && chunk.type == SCTP_ABORT;
}

/*
 * The ports are known. A packet without a chunk is none. Chunks are read by the helper, as those of merged packets lie
 * elsewhere than their header. Not static: the verifier looks at it once.
 */
__noinline int parse_sctp(hook_ctx *ctx, struct packet *pkt)
{
	struct sctp_chunk chunk = {};
	__u32 first;

	if (!pkt)
		return PASS_MALFORMED;
	first = pkt->l4 + sizeof(struct sctp_header);
	if (first + sizeof(chunk) > pkt->l3 + pkt->length || hook_load(ctx, first, &chunk, sizeof(chunk)))
		return PASS_MALFORMED;
	pkt->payload = first;
	pkt->sctp_event = sctp_event(chunk.type);
	if (chunk.type != SCTP_COOKIE_ECHO && chunk.type != SCTP_COOKIE_ACK)
		return FORWARDED;
	if (sctp_aborts(ctx, pkt, first, bpf_ntohs(chunk.length)))
		pkt->sctp_event = CHUNK_ABORT;
	return FORWARDED;
}

#endif
