/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ones' complement arithmetic (RFC 1071) and incremental update (RFC 1624).
 * A "delta" is the 32-bit ones' complement sum of (new - old) over the words that changed, in memory order;
 * its complement undoes the change.
 */
#ifndef BPVS_CSUM_H
#define BPVS_CSUM_H

#include "abi.h"

static __always_inline __u32 csum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (sum & 0xffffffff) + (sum >> 32);
}

static __always_inline __u16 csum_fold16(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32 & 0xffff) + (sum >> 48);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u32 csum_delta_address(const struct address *from, const struct address *to)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (__u64)to->word[i] + (__u32)~from->word[i];
	return csum_fold32(sum);
}

static __always_inline __u32 csum_delta16(__u16 from, __u16 to)
{
	return (__u32)to + (__u16)~from;
}

/* The sum over size bytes, a multiple of 4, in 32-bit words: folded, it is that of the 16-bit words. */
static __always_inline __u64 csum_words(const void *from, __u32 size)
{
	const __u32 *words = from;
	__u64 sum = 0;

	for (__u32 i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

/* The checksum field after a change by delta, or by a sum of deltas. */
static __always_inline __u16 csum_apply(__u16 check, __u64 delta)
{
	return ~csum_fold16((__u16)~check + delta);
}

#endif
