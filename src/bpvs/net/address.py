# SPDX-License-Identifier: GPL-2.0-or-later
"""What an address is to this host: its own, another's, or nobody's in particular."""

from __future__ import annotations

import struct

from bpvs.model import Address, Family
from bpvs.net.netlink import RouteSocket, attribute

RTM_GETROUTE = 26
_RTA_DST = 1
_RTN_LOCAL = 2
_RTN_BROADCAST = 3
_RTN_MULTICAST = 5
_RTMSG = struct.Struct("=BBBBBBBBI")


def is_local(address: Address) -> bool:
    """Whether packets to `address` end on this host, by the routing tables of this network namespace.

    Never so for the unspecified address: the kernel routes it to lo, yet no packet carries it as destination.
    """
    return any(address.packed) and _route_type(address) == _RTN_LOCAL


def is_server_address(address: Address) -> bool:
    """Whether IPVS takes `address` for a real server (ip_vs_ctl.c, ip_vs_new_dest).

    IPv4: unicast or local by the routing table; an address without a route counts as unicast. IPv6: unicast and not
    link-local, unless it is an address of this host.
    """
    if address.family is Family.IPV6:
        return is_unicast(address) or is_local(address)
    return is_unicast(address) and _route_type(address) not in (_RTN_BROADCAST, _RTN_MULTICAST)


def is_unicast(address: Address) -> bool:
    """By its bits alone: not 0.0.0.0/8, multicast or 255.255.255.255; not ::, ff00::/8 or fe80::/10."""
    packed = address.packed
    if address.family is Family.IPV6:
        link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
        return packed != bytes(16) and packed[0] != 0xFF and not link_local
    return packed[0] != 0 and packed[0] & 0xF0 != 0xE0 and packed != b"\xff\xff\xff\xff"


def _route_type(address: Address) -> int:
    """The RTN_* type of the route to `address`, 0 if there is none."""
    bits = 8 * len(address.packed)
    question = _RTMSG.pack(int(address.family), bits, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, address.packed)
    try:
        with RouteSocket() as route:
            answer = route.ask(RTM_GETROUTE, question)
    except OSError:
        return 0
    return int(_RTMSG.unpack_from(answer)[7])
