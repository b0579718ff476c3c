/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistence engine sip: a client's calls are told apart by the Call-ID of its message (net/netfilter/ipvs/ip_vs_pe_sip.c).
 *
 *	Call-ID: word@word	the first line that begins so, or with "i", in upper or lower case
 *
 * A machine reads the message byte by byte, up to SIP_LONGEST. What it has found lies in this CPU's own place until the
 * packet's template is found or made: a hash of it is part of the template's key, the text goes into `call_ids`.
 */
#ifndef BPVS_SIP_H
#define BPVS_SIP_H

#include "maps.h"
#include "packet.h"

#define SIP_LONGEST 4096 /* a power of two */
#define SIP_NAME 7       /* letters of "call-id" */

enum sip_state {
	SIP_LINE,    /* somewhere in a line */
	SIP_RETURN,  /* behind CR */
	SIP_BEGIN,   /* at the begin of a line */
	SIP_LETTERS, /* of the header's name, some have been right */
	SIP_COMPACT, /* behind "i" */
	SIP_COLON,   /* blanks may come before it */
	SIP_BLANK,   /* and behind it */
	SIP_WORD,
	SIP_AT, /* behind @ */
	SIP_DOMAIN,
	SIP_FOUND,
	SIP_FAILED,
};

/* A message as this CPU reads it. */
struct message {
	struct call_id id;
	__u64 hash; /* of the text: FNV-1a */
	__u32 state;
	__u32 letters;
	__u8 bytes[SIP_LONGEST];
};

/* Data path only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct message);
} messages SEC(".maps");

static __always_inline struct message *message_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&messages, &zero);
}

/* The key of this call's template, from that of the client's. */
static __always_inline void sip_key(struct flow_key *key)
{
	struct message *message = message_get();

	if (!message)
		return;
	key->dst.word[0] ^= (__u32)message->hash;
	key->dst.word[1] ^= (__u32)(message->hash >> 32);
}

/* Its template remembers the text, for listings. */
static __always_inline void sip_note(__u32 slot)
{
	struct message *message = message_get();

	if (message)
		bpf_map_update_elem(&call_ids, &slot, &message->id, BPF_ANY);
}

#ifdef HOOK_TC
static const __u8 sip_name[SIP_NAME + 1] = "call-id";

static __always_inline bool sip_is_letter(__u8 c)
{
	return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

/* RFC 3261, "word"; as the kernel's iswordc(). */
static __always_inline bool sip_is_word(__u8 c)
{
	if (sip_is_letter(c) || (c >= '0' && c <= '9') || (c >= '(' && c <= '+') || (c >= '-' && c <= '/'))
		return true;
	return c == '!' || c == '"' || c == '%' || c == '\'' || c == ':' || c == '<' || c == '>' || c == '?' ||
	       (c >= '[' && c <= ']') || c == '_' || c == '`' || c == '{' || c == '}' || c == '~';
}

static __always_inline __u8 sip_lower(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

static __always_inline __u32 sip_line(__u8 c)
{
	return c == '\r' ? SIP_RETURN : c == '\n' ? SIP_BEGIN : SIP_LINE;
}

static __always_inline __u32 sip_first(struct message *message, __u8 c)
{
	message->letters = 1;
	return sip_lower(c) == 'c' ? SIP_LETTERS : sip_lower(c) == 'i' ? SIP_COMPACT : SIP_LINE;
}

static __always_inline __u32 sip_letter(struct message *message, __u8 c)
{
	__u32 place = message->letters;

	barrier_var(place);
	if (sip_lower(c) != sip_name[place & SIP_NAME])
		return sip_line(c);
	message->letters++;
	return message->letters < SIP_NAME ? SIP_LETTERS : SIP_COLON;
}

static __always_inline __u32 sip_colon(__u8 c)
{
	return c == ' ' || c == '\t' ? SIP_COLON : c == ':' ? SIP_BLANK : SIP_FAILED;
}

static __always_inline __u32 sip_append(struct message *message, __u8 c, __u32 next)
{
	__u8 *text = (__u8 *)&message->id;
	__u32 place = message->id.length + 1;

	if (place > sizeof(message->id.text))
		return SIP_FAILED;
	barrier_var(place);
	text[place & 255] = c;
	message->id.length++;
	message->hash = (message->hash ^ c) * 0x100000001b3ULL;
	return next;
}

static __always_inline __u32 sip_word(struct message *message, __u8 c)
{
	if (sip_is_word(c))
		return sip_append(message, c, SIP_WORD);
	if (!message->id.length)
		return sip_line(c);
	if (c == '@')
		return sip_append(message, c, SIP_AT);
	return c == '\r' || c == '\n' ? SIP_FOUND : SIP_FAILED;
}

static __always_inline __u32 sip_blank(struct message *message, __u8 c)
{
	if (c == ' ' || c == '\t')
		return SIP_BLANK;
	if (c == '\r' || c == '\n')
		return SIP_FAILED;
	message->id.length = 0;
	message->hash = 0xcbf29ce484222325ULL;
	return sip_word(message, c);
}

static __always_inline __u32 sip_domain(struct message *message, __u8 c)
{
	if (sip_is_word(c))
		return sip_append(message, c, SIP_DOMAIN);
	if (message->state == SIP_AT)
		return sip_line(c);
	return c == '\r' || c == '\n' ? SIP_FOUND : SIP_FAILED;
}

static __always_inline __u32 sip_next(struct message *message, __u8 c)
{
	switch (message->state) {
	case SIP_LINE:
		return sip_line(c);
	case SIP_RETURN:
		return c == '\n' ? SIP_BEGIN : sip_first(message, c);
	case SIP_BEGIN:
		return sip_first(message, c);
	case SIP_LETTERS:
		return sip_letter(message, c);
	case SIP_COMPACT:
		return sip_is_letter(c) ? SIP_LINE : sip_colon(c);
	case SIP_COLON:
		return sip_colon(c);
	case SIP_BLANK:
		return sip_blank(message, c);
	case SIP_WORD:
		return sip_word(message, c);
	default:
		return sip_domain(message, c);
	}
}

static long sip_step(__u32 index, void *nothing)
{
	struct message *message = message_get();

	(void)nothing;
	if (!message)
		return 1;
	barrier_var(index);
	message->state = sip_next(message, message->bytes[index & (SIP_LONGEST - 1)]);
	return message->state >= SIP_FOUND;
}

/* Reads the datagram's Call-ID; false if it has none. Not static: verified once. */
__noinline bool sip_find(hook_ctx *ctx, const struct packet *pkt)
{
	struct message *message = message_get();
	__u32 size;

	if (!pkt || !message || pkt->protocol != IPPROTO_UDP || pkt->payload >= pkt->l3 + pkt->length)
		return false;
	size = pkt->l3 + pkt->length - pkt->payload;
	if (size > SIP_LONGEST)
		size = SIP_LONGEST;
	size--; /* Linux 6.1 learns from a mask that something is read, not from a comparison with 0 */
	barrier_var(size);
	size = (size & (SIP_LONGEST - 1)) + 1;
	if (bpf_skb_load_bytes(ctx, pkt->payload, message->bytes, size))
		return false;
	message->state = SIP_LINE;
	message->id.length = 0;
	bpf_loop(size, sip_step, NULL, 0);
	return message->state == SIP_FOUND;
}
#else
static __always_inline bool sip_find(hook_ctx *ctx, const struct packet *pkt)
{
	(void)ctx, (void)pkt;
	return false;
}
#endif

#endif
