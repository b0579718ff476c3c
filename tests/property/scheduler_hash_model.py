# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedulers of IPVS that hash addresses: sh, dh, mh.

Sources: net/netfilter/ipvs/ip_vs_sh.c, ip_vs_dh.c, ip_vs_mh.c, include/linux/hash.h, lib/siphash.c.
"""

from __future__ import annotations

import struct
from itertools import cycle
from math import gcd

from bpvs.model import Address
from tests.property.scheduler_model import Packet, Scheduler, Server

WORD = (1 << 32) - 1
LONG = (1 << 64) - 1
PRIME = 4093
_SIP_START: tuple[int, int, int, int] = struct.unpack(">4Q", b"somepseudorandomlygeneratedbytes")
FIRST_KEY, SECOND_KEY = 2654435761, 2654446892


def word(address: Address) -> int:
    """An address in 32 bits, as sh, dh and mh see it."""
    folded = 0
    for part in struct.unpack(f"!{len(address.packed) // 4}I", address.packed):
        folded ^= part
    return folded


def golden(value: int, bits: int) -> int:
    """hash_32() of the kernel."""
    return (value * 0x61C88647 & WORD) >> (32 - bits)


def siphash13(key: int, value: int) -> int:
    """SipHash-1-3 of a 32-bit number under (key, key), lower half."""
    a, b, c, d = _SIP_START
    a, b, c, d = a ^ key, b ^ key, c ^ key, d ^ key
    block = 4 << 56 | value
    d ^= block
    for number in range(4):
        a, b, c, d = _sip_round(a, b, c, d)
        if number == 0:
            a, c = a ^ block, c ^ 0xFF
    return (a ^ b ^ c ^ d) & WORD


def _sip_round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a, c = (a + b) & LONG, (c + d) & LONG
    b, d, a = _left(b, 13) ^ a, _left(d, 16) ^ c, _left(a, 32)
    c, a = (c + b) & LONG, (a + d) & LONG
    return a, _left(b, 17) ^ c, _left(c, 32), _left(d, 21) ^ a


def _left(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & LONG


class Hashing(Scheduler):
    """A table of servers that a hash looks up; the fallback asks again with another hash."""

    fallback = ""
    with_port = ""

    def __init__(self, servers: list[Server], flags: frozenset[str]) -> None:
        super().__init__(servers, flags)
        self.changed()

    def changed(self) -> None:
        self.table = self.fill()

    def fill(self) -> list[Server]:
        raise NotImplementedError

    def slot(self, value: int, offset: int) -> int:
        raise NotImplementedError

    def value(self, packet: Packet) -> int:
        return word(packet.source) + (packet.port if self.with_port in self.flags else 0)

    def pick(self, packet: Packet, now: int) -> Server | None:
        if not self.table:
            return None
        value = self.value(packet)
        first = self.slot(value, 0)
        if self.table[first].is_usable:
            return self.table[first]
        if self.fallback not in self.flags:
            return None
        size = len(self.table)
        again = (self.table[self.slot(value, (offset + first) % size)] for offset in range(size))
        return next((server for server in again if server.is_usable), None)


class SourceHashing(Hashing):
    fallback, with_port = "sh-fallback", "sh-port"

    def fill(self) -> list[Server]:
        walk: list[Server] = []
        while self.servers and len(walk) < 256:
            for server in self.servers:
                walk += [server] * min(max(server.weight, 1), 256)
        return walk[:256]

    def slot(self, value: int, offset: int) -> int:
        return (offset + golden(value & WORD, 8)) % 256


class DestinationHashing(Hashing):
    def fill(self) -> list[Server]:
        walk = cycle(self.servers)
        return [next(walk) for _ in range(256)] if self.servers else []

    def slot(self, value: int, offset: int) -> int:
        return golden(value, 8)

    def value(self, packet: Packet) -> int:
        return word(packet.destination)


class Maglev(Hashing):
    fallback, with_port = "mh-fallback", "mh-port"

    def fill(self) -> list[Server]:
        divisor = gcd(*(server.kept for server in self.servers))
        if divisor == 0:
            return []
        shift = max(0, (max(server.kept for server in self.servers) // divisor).bit_length() - 6)
        table: dict[int, Server] = {}
        places = {server: self._first(server) for server in self.servers}
        turns = (server for server in cycle(self.servers) for _ in range(_turns(server.kept, divisor, shift)))
        for server in turns:
            place, skip = places[server]
            while place in table:
                place = (place + skip) % PRIME
            table[place] = server
            places[server] = place, skip
            if len(table) == PRIME:
                break
        return [table[slot] for slot in range(PRIME)]

    def slot(self, value: int, offset: int) -> int:
        return siphash13(FIRST_KEY, offset + value & WORD) % PRIME

    @staticmethod
    def _first(server: Server) -> tuple[int, int]:
        value = server.port + word(server.address) & WORD
        return siphash13(FIRST_KEY, value) % PRIME, siphash13(SECOND_KEY, value) % (PRIME - 1) + 1


def _turns(kept: int, divisor: int, shift: int) -> int:
    return (kept // divisor >> shift) or int(kept > 0)
