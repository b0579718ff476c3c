# SPDX-License-Identifier: GPL-2.0-or-later
"""Telling neighbours, unasked, at which station an address is now: those that knew it at another one follow at once.

ARP announcements (RFC 5227, section 2.3) and unsolicited neighbour advertisements (RFC 4861, section 7.2.6).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from socket import AF_PACKET, SOCK_RAW, socket

from bpvs.model import Address
from bpvs.net.links import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ETH_P_ARP, _ETH_P_IPV6, _ICMPV6 = 0x0806, 0x86DD, 58
_EVERYBODY, _EVERYBODY6 = b"\xff" * 6, b"\x33\x33\0\0\0\x01"
_ALL_NODES = b"\xff\x02" + bytes(13) + b"\x01"
_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")  # hardware, protocol, lengths, operation, sender, target
_IPV6 = struct.Struct("!IHBB16s16s")
_ADVERTISEMENT = struct.Struct("!BBHI16sBB6s")  # type, code, checksum, flags, target, option: its type, length, MAC
_ARP_REQUEST, _OVERRIDE, _TARGET_MAC, _HOPS = 1, 0x20000000, 2, 255


def announce(places: Iterable[tuple[Link, Address]]) -> None:
    """Say of each address that it is at that Ethernet interface.

    An interface that is down says nothing, nor does anybody without CAP_NET_RAW: neighbours find out later.
    """
    try:
        wire = socket(AF_PACKET, SOCK_RAW)
    except PermissionError:
        return
    with wire:
        for link, address in places:
            frame = _advertisement(link.mac, address.packed) if address.is_ipv6 else _arp(link.mac, address.packed)
            with suppress(OSError):
                wire.sendto(frame, (link.name, 0))


def _arp(mac: bytes, address: bytes) -> bytes:
    content = _ARP.pack(1, 0x0800, 6, 4, _ARP_REQUEST, mac, address, bytes(6), address)
    return _ETHERNET.pack(_EVERYBODY, mac, _ETH_P_ARP) + content


def _advertisement(mac: bytes, address: bytes) -> bytes:
    def message(checksum: int) -> bytes:
        return _ADVERTISEMENT.pack(136, 0, checksum, _OVERRIDE, address, _TARGET_MAC, 1, mac)

    size = _ADVERTISEMENT.size
    pseudo = address + _ALL_NODES + struct.pack("!II", size, _ICMPV6)
    total = sum(struct.unpack(f"!{(len(pseudo) + size) // 2}H", pseudo + message(0)))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    header = _IPV6.pack(6 << 28, size, _ICMPV6, _HOPS, address, _ALL_NODES)
    return _ETHERNET.pack(_EVERYBODY6, mac, _ETH_P_IPV6) + header + message(checksum)
