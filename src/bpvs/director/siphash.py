# SPDX-License-Identifier: GPL-2.0-or-later
"""SipHash-1-3 (Aumasson and Bernstein, 2012) of one 32-bit number, as hsiphash_1u32() of 64-bit kernels.

Source: lib/siphash.c.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFFFFFFFFFF
_LENGTH = 4 << 56  # of the number, in bytes; the definition has it in the last block
_FINAL = 0xFF


def hsiphash(key: int, number: int) -> int:
    """The low 32 bits of the hash of a number below 2^32 under the 128-bit key (key, key)."""
    v0, v1 = 0x736F6D6570736575 ^ key, 0x646F72616E646F6D ^ key
    v2, v3 = 0x6C7967656E657261 ^ key, 0x7465646279746573 ^ key
    block = _LENGTH | number
    v3 ^= block
    for final in (
        _FINAL,
        0,
        0,
        0,
    ):  # one round of compression, three that finish; no calls: it is asked a thousand times
        v0 = v0 + v1 & _MASK
        v1 = (v1 << 13 | v1 >> 51) & _MASK ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = v2 + v3 & _MASK
        v3 = (v3 << 16 | v3 >> 48) & _MASK ^ v2
        v0 = v0 + v3 & _MASK
        v3 = (v3 << 21 | v3 >> 43) & _MASK ^ v0
        v2 = v2 + v1 & _MASK
        v1 = (v1 << 17 | v1 >> 47) & _MASK ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK
        if final:
            v0 ^= block
            v2 ^= final
    return (v0 ^ v1 ^ v2 ^ v3) & 0xFFFFFFFF
