# SPDX-License-Identifier: GPL-2.0-or-later
"""IP packets made from a few words, and told in a few words; light, because it runs under emulation."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from functools import cache

from tests.packets.chunks import TYPES as CHUNKS

TCP, UDP, SCTP, ICMP, ICMP6 = 6, 17, 132, 1, 58
IPIP, IP6, GRE = 4, 41, 47
_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}
_HEADER_4 = struct.Struct("!BBHHHBBH4s4s")
_HEADER_6 = struct.Struct("!IHBB16s16s")
_DONT_FRAGMENT = 0x4000
_FRAGMENT = 0x3FFF  # more to come, or not the first
_NAMES = {TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", ICMP6: "icmp"}
_CHUNK_NAMES = {number: name for name, number in CHUNKS.items()}
_ERRORS = {(ICMP, kind) for kind in (3, 4, 11, 12)} | {(ICMP6, kind) for kind in (1, 2, 3, 4)}
Naming = Callable[[str], str]


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def internet_sum(data: bytes) -> int:
    """The checksum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@cache
def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 * (value & 1)  # noqa: PLW2901 - the polynomial's eight steps
        table.append(value)
    return table


def crc32c(data: bytes) -> int:
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _pseudo(source: bytes, target: bytes, protocol: int, length: int) -> bytes:
    return source + target + struct.pack("!II", length, protocol)


def ip(source: str, target: str, protocol: int, payload: bytes, ttl: int = 64, tos: int = 0, df: bool = True) -> bytes:
    """An IP packet; the family is that of the addresses."""
    if ":" in source:
        head = _HEADER_6.pack(6 << 28 | tos << 20, len(payload), protocol, ttl, packed(source), packed(target))
        return head + payload
    flags = _DONT_FRAGMENT if df else 0
    fields = (0x45, tos, 20 + len(payload), 1, flags, ttl, protocol)
    total = internet_sum(_HEADER_4.pack(*fields, 0, packed(source), packed(target)))
    return _HEADER_4.pack(*fields, total, packed(source), packed(target)) + payload


def _summed(source: str, target: str, protocol: int, body: bytes, at: int) -> bytes:
    total = internet_sum(_pseudo(packed(source), packed(target), protocol, len(body)) + body)
    return body[:at] + struct.pack("!H", total or 0xFFFF) + body[at + 2 :]


def tcp(source: str, target: str, ports: tuple[int, int], flags: str, data: bytes = b"") -> bytes:
    """A segment's bytes behind the IP header; `flags` are letters of FSRPA."""
    bits = sum(_FLAGS[one] for one in flags)
    body = struct.pack("!HHIIBBHHH", *ports, 1000, 2000 if "A" in flags else 0, 5 << 4, bits, 1000, 0, 0) + data
    return _summed(source, target, TCP, body, 16)


def tcp_sum(source: str, target: str, segment: bytes) -> bytes:
    """A changed segment with its checksum made right."""
    return _summed(source, target, TCP, segment[:16] + bytes(2) + segment[18:], 16)


def udp(source: str, target: str, ports: tuple[int, int], data: bytes = b"", checksum: bool = True) -> bytes:
    body = struct.pack("!HHHH", *ports, 8 + len(data), 0) + data
    return _summed(source, target, UDP, body, 6) if checksum else body


def sctp(ports: tuple[int, int], *chunks: str) -> bytes:
    """A packet with chunks of these names, each with a body long enough to be believed."""
    body = b""
    for name in chunks:
        size = 20 if name.startswith("INIT") else 16
        body += struct.pack("!BBH", CHUNKS[name], 0, size) + struct.pack("!IIHHI", 7, 65535, 1, 1, 9)[: size - 4]
    head = struct.pack("!HHI", *ports, 77)
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


def icmp(source: str, target: str, kind: int, code: int, rest: int, payload: bytes) -> bytes:
    """An ICMP message of the addresses' family; `rest` is its second word: MTU, or number and sequence of an echo."""
    body = struct.pack("!BBHI", kind, code, 0, rest) + payload
    if ":" in source:
        return _summed(source, target, ICMP6, body, 2)
    return body[:2] + struct.pack("!H", internet_sum(body)) + body[4:]


class Packet:
    """The fields of an IP packet that the transcripts tell."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.six = data[0] >> 4 == 6
        if self.six:
            first, length, self.protocol, self.ttl, source, target = _HEADER_6.unpack_from(data)
            self.tos, self.body, self.df, self.fragment = first >> 20 & 0xFF, data[40 : 40 + length], False, 0
        else:
            fields = _HEADER_4.unpack_from(data)
            head, self.tos, length, _, cut, self.ttl, self.protocol, _, source, target = fields
            self.body = data[4 * (head & 15) : length]
            self.df, self.fragment = bool(cut & _DONT_FRAGMENT), cut & _FRAGMENT
        family = socket.AF_INET6 if self.six else socket.AF_INET
        self.source, self.target = socket.inet_ntop(family, source), socket.inet_ntop(family, target)
        self._ends = source, target

    @property
    def ports(self) -> tuple[int, int]:
        """Both ports of what has ports."""
        source, target = struct.unpack_from("!HH", self.body)
        return source, target

    @property
    def has_ports(self) -> bool:
        return self.protocol in {TCP, UDP, SCTP} and not self.fragment & 0x1FFF

    def inner(self) -> Packet | None:
        """What a tunnel or an ICMP error carries; GUE is known by its first bytes, a later fragment by none."""
        if self.fragment & 0x1FFF:
            return None
        if self.protocol in {IPIP, IP6}:
            return Packet(self.body)
        if self.protocol == GRE:
            return Packet(self.body[8 if self.body[0] & 0x80 else 4 :])
        if self.protocol == UDP and self.body[9:10] in {b"\4", b"\x29"} and self.body[8] < 0x20:
            return Packet(self.body[12 + 4 * (self.body[8] & 31) :])
        is_error = (self.protocol, self.body[0]) in _ERRORS
        return Packet(self.body[8:]) if is_error else None

    def sum_is_right(self) -> bool:
        """Whether the checksum of what is inside holds; a UDP datagram may have none in IPv4."""
        if self.protocol == ICMP:
            return internet_sum(self.body) == 0
        if self.protocol == SCTP:
            return crc32c(self.body[:8] + bytes(4) + self.body[12:]) == int.from_bytes(self.body[8:12], "little")
        if self.protocol not in {TCP, UDP, ICMP6} or self.fragment:
            return True
        if self.protocol == UDP and not self.six and self.body[6:8] == b"\0\0":
            return True
        return internet_sum(_pseudo(*self._ends, self.protocol, len(self.body)) + self.body) == 0

    def _what(self) -> str:
        if self.protocol == TCP:
            return "".join(name for name, bit in _FLAGS.items() if self.body[13] & bit)
        if self.protocol == SCTP:
            return _CHUNK_NAMES.get(self.body[12], "?")
        if self.protocol in {ICMP, ICMP6}:
            kind, code = self.body[:2]
            return f"{kind}/{code}" + (f" mtu {struct.unpack_from('!I', self.body, 4)[0]}" if self.is_too_big() else "")
        return ""

    def is_too_big(self) -> bool:
        """An ICMP error that carries an MTU."""
        return (self.protocol == ICMP and self.body[:2] == b"\3\4") or (self.protocol == ICMP6 and self.body[0] == 2)

    def ends(self, name: Naming) -> str:
        """From whom to whom, with ports where there are any."""
        if not self.has_ports:
            return f"{name(self.source)} > {name(self.target)}"
        source, target = self.ports
        return f"{name(self.source)}:{source} > {name(self.target)}:{target}"

    def told(self, name: Naming, ttl: bool = False) -> str:
        """One line; wrong checksums are marked, and so is what a tunnel or an ICMP error is about."""
        inside = self.inner()
        words = [_NAMES.get(self.protocol, f"ip{self.protocol}"), self.ends(name)]
        if inside and self.protocol == UDP:
            words = ["gue", f"{name(self.source)} > {name(self.target)}:{self.ports[1]}"]
        if not (inside and self.protocol in {UDP, GRE}) and (what := self._what()):
            words.append(what)
        words += [f"ttl {self.ttl}"] * ttl
        words += ["WRONG CHECKSUM"] * (not self.sum_is_right())
        if inside:
            quoted = self.protocol in {ICMP, ICMP6}
            words.append(f"[{_NAMES.get(inside.protocol, '?')} {inside.ends(name)}]" if quoted else inside.boxed(name))
        return " ".join(words)

    def boxed(self, name: Naming) -> str:
        """What a tunnel carries."""
        return f"[{self.told(name)}]"
