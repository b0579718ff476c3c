/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CRC32c of a message whose first four bytes changed, without reading the rest.
 *
 * The CRC of a message M is the remainder of M * x^32 modulo P, plus what depends on the length alone; "plus" is XOR. So
 * for M' of the same length crc(M') = crc(M) + crc of the difference D = M' + M, a message of zeros but for its first
 * word d. As that word stands n bytes before the end, its part is d * x^(8n) mod P, n counted from the word's start.
 * x^(8n) is the product of the x^(8 * 2^k) for the bits k of n: one multiplication in GF(2)[x] / P for each.
 */
#ifndef BPVS_CRC32C_H
#define BPVS_CRC32C_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Castagnoli's P without x^32; as in every word here the highest bit is the coefficient of x^0. */
#define CRC32C_POLYNOMIAL 0x82f63b78
#define CRC32C_LENGTH_BITS 16

/* x^(8 * 2^k) mod P */
static const __u32 crc32c_powers[CRC32C_LENGTH_BITS] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/* a * b mod P. Not static: the verifier then looks at it once. */
__noinline __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = b >> 1 ^ (CRC32C_POLYNOMIAL & -(b & 1));
	}
	return product;
}

/*
 * What is to be XORed to the CRC of a message of length bytes, below 2^16, whose first word changes by XOR with
 * difference. CRC and word as they lie in memory, lowest byte first.
 */
__noinline __u32 crc32c_change(__u32 difference, __u32 length)
{
	for (__u32 k = 0; k < CRC32C_LENGTH_BITS; k++)
		if (length >> k & 1)
			difference = crc32c_multiply(difference, crc32c_powers[k]);
	return difference;
}

#endif
