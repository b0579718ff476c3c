# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames to send and to check: Ethernet, IP without options, TCP without data. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bpvs.model import Address, Family

ACK = 0x10
SYN = 0x02

_ETHERTYPES = {Family.IPV4: 0x0800, Family.IPV6: 0x86DD}
_TCP = 6
_IPIP = 4
_TCP_HEADER = struct.Struct("!HHIIBBHHH")
_IPV4_BYTES = 60  # shorter frames are padded up to here


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment on its way from `source` to `target`, each an address and a port."""

    source: tuple[Address, int]
    target: tuple[Address, int]
    flags: int


def frame(segment: Segment, from_mac: bytes, to_mac: bytes) -> bytes:
    """The segment as a frame with right checksums; 60 bytes for IPv4, 74 for IPv6."""
    source, target = segment.source[0].packed, segment.target[0].packed
    family = segment.source[0].family
    tcp = _TCP_HEADER.pack(segment.source[1], segment.target[1], 1, 1, 5 << 4, segment.flags, 65535, 0, 0)
    check = checksum(_pseudo_header(source, target, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    ethernet = to_mac + from_mac + struct.pack("!H", _ETHERTYPES[family])
    return (ethernet + _ip_header(family, source, target, len(tcp)) + tcp).ljust(_IPV4_BYTES, b"\0")


def unwrap(content: bytes) -> bytes:
    """The frame without the outer IPv4 header of a tunnel, if it has one."""
    if content[12:14] == struct.pack("!H", _ETHERTYPES[Family.IPV4]) and content[23] == _IPIP:
        return content[:14] + content[34:]
    return content


def parse(content: bytes) -> Segment:
    """The segment in a frame; ValueError names what is wrong with its headers or checksums."""
    family = next((f for f, number in _ETHERTYPES.items() if content[12:14] == struct.pack("!H", number)), None)
    if family is None:
        raise ValueError(f"not IP: ethertype {content[12:14].hex()}")
    size = 20 if family is Family.IPV4 else 40
    ip, tcp = content[14 : 14 + size], content[14 + size : 34 + size]
    if family is Family.IPV4 and checksum(ip):
        raise ValueError(f"wrong IPv4 header checksum: {ip.hex()}")
    source, target = (ip[12:16], ip[16:20]) if family is Family.IPV4 else (ip[8:24], ip[24:40])
    tcp = content[14 + size : 14 + size + 4 * (tcp[12] >> 4)]
    if checksum(_pseudo_header(source, target, len(tcp)) + tcp):
        raise ValueError(f"wrong TCP checksum: {content.hex()}")
    sport, dport, _sequence, _acknowledged, _length, flags, *_rest = _TCP_HEADER.unpack(tcp[:20])
    return Segment((Address(family, source), sport), (Address(family, target), dport), flags)


def checksum(content: bytes) -> int:
    """The Internet checksum of an even number of bytes (RFC 1071); 0 over data that holds a right one."""
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo_header(source: bytes, target: bytes, length: int) -> bytes:
    return source + target + struct.pack("!II", length, _TCP)


def _ip_header(family: Family, source: bytes, target: bytes, length: int) -> bytes:
    if family is Family.IPV6:
        return struct.pack("!IHBB", 6 << 28, length, _TCP, 64) + source + target
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _TCP, 0) + source + target
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]
