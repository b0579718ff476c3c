# SPDX-License-Identifier: GPL-2.0-or-later
"""What an address is to this host: its own, another's, or nobody's in particular."""

from __future__ import annotations

import struct

from bpvs.model import Address, Family
from bpvs.model.value import record
from bpvs.net.netlink import RouteSocket, attribute, attributes, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

RTM_GETROUTE = 26
_RTA_DST = 1
_RTA_OIF = 4
_RTA_PREFSRC = 7
_RTN_LOCAL = 2
_RTN_BROADCAST = 3
_RTN_MULTICAST = 5
_RTMSG = struct.Struct("=BBBBBBBBI")


def _head(family: Family, size: int) -> bytes:
    """A question up to the address in it, its last attribute."""
    return _RTMSG.pack(family, 8 * size, 0, 0, 0, 0, 0, 0, 0) + attribute(_RTA_DST, bytes(size))[:-size]


_HEADS = {Family.IPV4: _head(Family.IPV4, 4), Family.IPV6: _head(Family.IPV6, 16)}


@record
class _Route:
    """A way: its RTN_* type, 0 if there is none, the source address that goes with it, and the interface or 0."""

    kind: int
    source: bytes | None
    interface: int


_NO_ROUTE = _Route(0, None, 0)


class Judge:
    """Judges many addresses by the routing tables of this network namespace, over one socket; a context manager."""

    def __init__(self) -> None:
        self._socket = RouteSocket()
        self._last: tuple[Address, _Route] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.__exit__(*exception)

    def is_local(self, address: Address) -> bool:
        """Whether packets to `address` end on this host.

        Never so for the unspecified address: the kernel routes it to lo, yet no packet carries it as destination.
        """
        return any(address.packed) and self._route(address).kind == _RTN_LOCAL

    def is_server_address(self, address: Address) -> bool:
        """Whether IPVS takes `address` for a real server (ip_vs_ctl.c, ip_vs_new_dest).

        IPv4: unicast or local by the routing table; an address without a route counts as unicast. IPv6: unicast and
        not link-local, unless it is an address of this host.
        """
        if address.family is Family.IPV6:
            return is_unicast(address) or self.is_local(address)
        return is_unicast(address) and self._route(address).kind not in (_RTN_BROADCAST, _RTN_MULTICAST)

    def source(self, address: Address) -> Address | None:
        """The address that this host would write to `address` from; None without a route."""
        found = self._route(address).source
        return Address(address.family, found) if found else None

    def interface(self, address: Address) -> int:
        """The index of the interface by which this host reaches `address`; 0 without a route."""
        return self._route(address).interface

    def _route(self, address: Address) -> _Route:
        """The kernel's answer about the way to `address`."""
        if self._last is not None and self._last[0] is address:
            return self._last[1]
        question = _HEADS[address.family] + address.packed
        try:
            answer = self._socket.ask(RTM_GETROUTE, question)
        except OSError:
            route = _NO_ROUTE
        else:
            found = attributes(answer[_RTMSG.size :])
            kind = _RTMSG.unpack_from(answer)[7]
            route = _Route(kind, found.get(_RTA_PREFSRC), number(found.get(_RTA_OIF)))
        self._last = address, route
        return route


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
