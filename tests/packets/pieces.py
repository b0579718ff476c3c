# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames cut into fragments as a sender or a router cuts them (RFC 791, RFC 8200)."""

from __future__ import annotations

from itertools import pairwise

from scapy.compat import raw
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

UNIT = 8  # bytes: offsets of fragments are counted in them


def cut(content: bytes, *places: int, ident: int) -> list[bytes]:
    """The frame's datagram cut at these offsets from its transport header (multiples of 8).

    `ident`: the datagram's number, of 16 bits in IPv4 and 32 in IPv6. IPv4 options are in every fragment, of IPv6's
    extension headers hop-by-hop options, if there are any.
    """
    ip = Ether(content).payload
    data = bytes(raw(_divided(ip).payload))
    bounds = (0, *places, len(data))
    return [
        piece(content, begin, data[begin:end], is_last=end == len(data), ident=ident) for begin, end in pairwise(bounds)
    ]


def pieces(content: bytes, size: int, ident: int = 0x1234) -> list[bytes]:
    """The frame's datagram in fragments of `size` bytes, a multiple of 8, the last one shorter."""
    length = len(bytes(raw(_divided(Ether(content).payload).payload)))
    return cut(content, *range(size, length, size), ident=ident)


def piece(content: bytes, begin: int, data: bytes, is_last: bool, ident: int) -> bytes:
    """One fragment of the frame's datagram, with any data."""
    frame = Ether(content)
    ip = frame.payload
    if isinstance(ip, IPv6):
        _cut_ipv6(ip, IPv6ExtHdrFragment(offset=begin // UNIT, m=int(not is_last), id=ident), data)
    else:
        ip.remove_payload()
        ip.flags, ip.frag, ip.id = "DF" if "DF" in ip.flags else 0, begin // UNIT, ident
        if not is_last:
            ip.flags |= "MF"
        del ip.len, ip.chksum
        ip.add_payload(Raw(data))
    return bytes(raw(frame))


def _divided(ip: Packet) -> Packet:
    """The header behind which the datagram is divided."""
    return ip[IPv6ExtHdrHopByHop] if ip.haslayer(IPv6ExtHdrHopByHop) else ip


def _cut_ipv6(ip: Packet, header: Packet, data: bytes) -> None:
    last = _divided(ip)
    header.nh = last.nh
    last.remove_payload()
    last.nh = 44
    del ip.plen
    last.add_payload(header / Raw(data))


def identified(content: bytes, ident: int) -> bytes:
    """The frame's IPv4 datagram, whole, under that number."""
    frame = Ether(content)
    frame[IP].id = ident
    del frame[IP].chksum
    return bytes(raw(frame))
