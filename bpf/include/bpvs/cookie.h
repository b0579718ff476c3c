/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYN cookies: the director's initial sequence number says what the client offered, and proves that we said so.
 *
 *	 31                        9   8      7      4 3       0
 *	+---------------------------+-----+------+-----+---------+
 *	| 23 bits of SipHash        | age | SACK | MSS | wscale  |
 *	+---------------------------+-----+------+-----+---------+
 *
 * The hash is over both ends, the client's own initial sequence number and the low 9 bits. There are two secrets at any
 * time, of odd and of even age; the housekeeper replaces the older one each COOKIE_PERIOD, so a cookie holds for one to
 * two of them. A forged ACK gets through with 2 chances (see cookie_check) in 2^23: once in 4 million.
 */
#ifndef BPVS_COOKIE_H
#define BPVS_COOKIE_H

#include "clock.h"
#include "maps.h"
#include "packet.h"
#include "siphash.h"
#include "tcp_option.h"

#define COOKIE_PERIOD clock_ms(60 * NS_PER_S)
#define COOKIE_DATA 0x1ff
#define COOKIE_AGE 0x100
#define COOKIE_SACK 0x80
#define COOKIE_MSS_SHIFT 4
#define COOKIE_MSS_MASK 7
#define COOKIE_SCALE 0xf

/* Maximum segment sizes that a cookie can tell, rising: tunnels, PPPoE, Ethernet with IPv6 and IPv4, jumbo frames. */
static const __u16 cookie_mss[COOKIE_MSS_MASK + 1] = { 536, 1200, 1300, 1360, 1400, 1440, 1460, 8940 };

/* Not static: verified once. */
__noinline __u32 cookie_hash(const struct flow_key *key, __u32 client_isn, __u32 data)
{
	struct runtime *runtime = runtime_get();
	struct siphash state;
	__u64 src, dst;

	if (!runtime || !key)
		return 0;
	sip_begin(&state, runtime->secret[data & COOKIE_AGE ? 1 : 0]);
	if (!address_is_ipv4(&key->src)) {
		sip_add(&state, (__u64)key->src.word[0] << 32 | key->src.word[1]);
		sip_add(&state, (__u64)key->dst.word[0] << 32 | key->dst.word[1]);
		src = (__u64)key->src.word[2] << 32 | key->src.word[3];
		dst = (__u64)key->dst.word[2] << 32 | key->dst.word[3];
		sip_add(&state, src);
	} else {
		dst = (__u64)key->src.word[3] << 32 | key->dst.word[3];
	}
	sip_add(&state, dst);
	sip_add(&state, (__u64)key->sport << 48 | (__u64)key->dport << 32 | client_isn);
	return sip_end(&state, data) & ~COOKIE_DATA;
}

/* The cookie for what a client offered: data in its low byte. */
static __always_inline __u32 cookie_make(const struct flow_key *key, __u32 client_isn, __u32 data)
{
	struct runtime *runtime = runtime_get();

	if (runtime && runtime->secret_age & 1)
		data |= COOKIE_AGE;
	return cookie_hash(key, client_isn, data) | data;
}

/* Is it a cookie of ours? The segment that brings it begins one after the client's initial number, a zero window probe at it. */
static __always_inline bool cookie_check(const struct flow_key *key, __u32 seq, __u32 cookie, __u32 *client_isn)
{
	__u32 data = cookie & COOKIE_DATA;

	for (__u32 before = 1;; before--) {
		*client_isn = seq - before;
		if ((cookie & ~COOKIE_DATA) == cookie_hash(key, *client_isn, data))
			return true;
		if (!before)
			return false;
	}
}

/* Once in COOKIE_PERIOD a new secret in the place of the older one: nobody who learns it can tell those before. */
static __always_inline void cookie_renew(void)
{
	struct runtime *runtime = runtime_get();
	__u32 now = clock_ms(clock_ns());
	struct siphash state;
	__u64 fresh[2];
	__u32 next;

	if (!runtime || (runtime->renew_at && (__s32)(now - runtime->renew_at) < 0))
		return;
	for (int i = 0; i < 2; i++) {
		sip_begin(&state, runtime->secret[runtime->secret_age & 1]);
		sip_add(&state, bpf_ktime_get_ns());
		sip_add(&state, (__u64)bpf_get_prandom_u32() << 32 | i);
		fresh[i] = sip_end(&state, 16);
	}
	next = ~runtime->secret_age & 1;
	runtime->secret[next][0] = fresh[0];
	runtime->secret[next][1] = fresh[1];
	runtime->secret_age++;
	runtime->renew_at = now + COOKIE_PERIOD;
}

static __always_inline __u32 cookie_data(__u32 mss, __u32 scale, bool sack)
{
	__u32 index = 0;

	for (__u32 i = 1; i <= COOKIE_MSS_MASK; i++)
		index += mss >= cookie_mss[i];
	return (sack ? COOKIE_SACK : 0) | index << COOKIE_MSS_SHIFT | scale;
}

static __always_inline __u16 cookie_data_mss(__u32 data)
{
	data >>= COOKIE_MSS_SHIFT;
	barrier_var(data);
	return cookie_mss[data & COOKIE_MSS_MASK];
}

#endif
