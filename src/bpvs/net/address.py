# SPDX-License-Identifier: GPL-2.0-or-later
"""What an address is to this host: its own, another's, or nobody's in particular."""

from __future__ import annotations

import struct

from bpvs.model import Address, Family
from bpvs.net.netlink import RouteSocket, attribute, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

RTM_GETROUTE = 26
_RTA_DST = 1
_RTA_PREFSRC = 7
_RTN_LOCAL = 2
_RTN_BROADCAST = 3
_RTN_MULTICAST = 5
_RTMSG = struct.Struct("=BBBBBBBBI")


class Judge:
    """Judges many addresses by the routing tables of this network namespace, over one socket; a context manager."""

    def __init__(self) -> None:
        self._socket = RouteSocket()
        self._last: tuple[Address, bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.__exit__(*exception)

    def is_local(self, address: Address) -> bool:
        """Whether packets to `address` end on this host.

        Never so for the unspecified address: the kernel routes it to lo, yet no packet carries it as destination.
        """
        return any(address.packed) and self._route_type(address) == _RTN_LOCAL

    def is_server_address(self, address: Address) -> bool:
        """Whether IPVS takes `address` for a real server (ip_vs_ctl.c, ip_vs_new_dest).

        IPv4: unicast or local by the routing table; an address without a route counts as unicast. IPv6: unicast and
        not link-local, unless it is an address of this host.
        """
        if address.family is Family.IPV6:
            return is_unicast(address) or self.is_local(address)
        return is_unicast(address) and self._route_type(address) not in (_RTN_BROADCAST, _RTN_MULTICAST)

    def source(self, address: Address) -> Address | None:
        """The address that this host would write to `address` from; None without a route."""
        found = attributes(self._route(address)[_RTMSG.size :]).get(_RTA_PREFSRC)
        return Address(address.family, found) if found else None

    def _route_type(self, address: Address) -> int:
        """The RTN_* type of the route to `address`, 0 if there is none."""
        route = self._route(address)
        return int(_RTMSG.unpack_from(route)[7]) if route else 0

    def _route(self, address: Address) -> bytes:
        """The kernel's answer about the way to `address`, empty if there is none."""
        if self._last is not None and self._last[0] is address:
            return self._last[1]
        bits = 8 * len(address.packed)
        question = _RTMSG.pack(int(address.family), bits, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, address.packed)
        try:
            answer = self._socket.ask(RTM_GETROUTE, question)
        except OSError:
            answer = b""
        self._last = address, answer
        return answer


def is_local(address: Address) -> bool:
    """Judge.is_local for one address."""
    with Judge() as judge:
        return judge.is_local(address)


def is_server_address(address: Address) -> bool:
    """Judge.is_server_address for one address."""
    with Judge() as judge:
        return judge.is_server_address(address)


def is_unicast(address: Address) -> bool:
    """By its bits alone: not 0.0.0.0/8, multicast or 255.255.255.255; not ::, ff00::/8 or fe80::/10."""
    packed = address.packed
    if address.family is Family.IPV6:
        link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
        return packed != bytes(16) and packed[0] != 0xFF and not link_local
    return packed[0] != 0 and packed[0] & 0xF0 != 0xE0 and packed != b"\xff\xff\xff\xff"
