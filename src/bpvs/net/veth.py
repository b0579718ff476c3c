# SPDX-License-Identifier: GPL-2.0-or-later
"""Veth pairs of BPVS's own in this network namespace: no address of any kind, no group that is reported, no ARP.

They are known by the MAC addresses of their ends, so nothing has to be written down.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Iterable

from bpvs.model.value import dataclass
from bpvs.net.links import IFF_UP, RTM_GETLINK, Link, links
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_EXCL, RouteSocket, attribute, attributes, number

MTU = 65535  # the most that veth takes
_MTU_WITHOUT_IPV6 = 1279  # RFC 8200, section 5

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK, _RTM_DELROUTE = 16, 17, 19, 25
_IFF_NOARP, _IFF_MULTICAST = 0x80, 0x1000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 4, 16, 18, 20
_IFLA_AF_SPEC, _IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 26, 31, 32
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_AF_INET6, _IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 10, 8, 1
_IF_OPER_UP = 6
_IFINFOMSG = struct.Struct("=BxHiII")
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF, _RT_TABLE_LOCAL, _RTN_MULTICAST = 1, 4, 255, 5

_CARRIER_S = 5.0
_PAUSE_S = 0.0005


class PairError(Exception):
    """A pair cannot be built; the text says why, as half a sentence."""


@dataclass(frozen=True, slots=True)
class End:
    """How an end is called, and the MAC address that only ends of its pair have."""

    name: str
    mac: bytes


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ends, and what `ip link` says that they are (`alias`)."""

    ends: tuple[End, End]
    alias: str

    @property
    def names(self) -> tuple[str, str]:
        """How the ends are called."""
        return self.ends[0].name, self.ends[1].name

    def is_end(self, link: Link) -> bool:
        """Whether it is an end of the pair, under whatever name."""
        return link.kind == "veth" and any(link.mac == end.mac for end in self.ends)

    def find(self, all_links: Iterable[Link]) -> tuple[Link, Link] | None:
        """Both ends in their order, if they are there and joined."""
        by_name = {link.name: link for link in all_links if link.name in self.names and self.is_end(link)}
        if len(by_name) < len(self.ends):
            return None
        first, second = (by_name[name] for name in self.names)
        return (first, second) if first.lower == second.index else None

    def ensure(self, route: RouteSocket) -> tuple[int, int]:
        """The indexes of both ends, made if they are not there; PairError."""
        present = links()
        ends = self.find(present)
        if ends is None:
            self.refuse_strangers(present)
            self.remove(route, present)
            self._create(route)
            ends = self.find(links())
        if ends is None:
            raise PairError(f"{' and '.join(self.names)} were removed while they were set up")
        return ends[0].index, ends[1].index

    def refuse_strangers(self, present: Iterable[Link]) -> None:
        """PairError if somebody else's interface has one of the names."""
        for link in present:
            if link.name in self.names and not self.is_end(link):
                raise PairError(f"there is an interface {link.name} that is not of BPVS")

    def remove(self, route: RouteSocket, present: Iterable[Link]) -> None:
        """Remove every end that is there, under whatever name."""
        for link in present:
            if self.is_end(link):
                _delete(route, link.index)

    def silence(self, route: RouteSocket, index: int) -> None:
        """No IPv6 address, so nothing is announced or asked for. Frames are taken all the same."""
        head = _IFINFOMSG.pack(0, 0, index, 0, 0)
        route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_MTU, struct.pack("=I", MTU)))
        mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
        try:
            route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_AF_SPEC, attribute(_AF_INET6, mode)))
        except OSError as error:
            if error.errno != errno.EAFNOSUPPORT:  # a kernel without IPv6 has nothing to be silenced
                raise

    def start(self, route: RouteSocket, indexes: Iterable[int]) -> None:
        """Switch the ends on, and return when packets pass."""
        indexes = tuple(indexes)
        for index in indexes:
            head = _IFINFOMSG.pack(0, 0, index, IFF_UP | _IFF_NOARP, IFF_UP | _IFF_NOARP | _IFF_MULTICAST)
            route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_IFALIAS, self.alias.encode()))
        for index in indexes:
            _await_carrier(route, index)
            _drop_multicast_route(route, index)

    def _create(self, route: RouteSocket) -> None:
        first, second = self.ends
        peer = attribute(_VETH_INFO_PEER, _request(second))
        kind = attribute(_IFLA_INFO_KIND, b"veth") + attribute(_IFLA_INFO_DATA, peer)
        try:
            route.change(_RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, _request(first) + attribute(_IFLA_LINKINFO, kind))
        except OSError as error:
            lacks = error.errno == errno.EOPNOTSUPP
            raise PairError("this kernel has no veth" if lacks else f"no veth pair: {error.strerror}") from error


def _request(end: End) -> bytes:
    """One end's part of the request.

    Its MTU keeps IPv6 away from it until it is no longer one for multicasts: on a router IPv6 would join the group of
    routers and report that.
    """
    head = _IFINFOMSG.pack(0, 0, 0, _IFF_NOARP, _IFF_NOARP | _IFF_MULTICAST)
    one = struct.pack("=I", 1)
    queues = attribute(_IFLA_NUM_TX_QUEUES, one) + attribute(_IFLA_NUM_RX_QUEUES, one)
    mtu = attribute(_IFLA_MTU, struct.pack("=I", _MTU_WITHOUT_IPV6))
    return head + attribute(_IFLA_IFNAME, end.name.encode() + b"\0") + attribute(_IFLA_ADDRESS, end.mac) + mtu + queues


def _delete(route: RouteSocket, index: int) -> None:
    try:
        route.change(_RTM_DELLINK, 0, _IFINFOMSG.pack(0, 0, index, 0, 0))
    except OSError as error:
        if error.errno != errno.ENODEV:  # it went with its peer
            raise


def _await_carrier(route: RouteSocket, index: int) -> None:
    """The kernel notices a carrier, and lets packets out, a moment after both ends are up."""
    deadline = time.monotonic() + _CARRIER_S
    while True:
        answer = route.ask(RTM_GETLINK, _IFINFOMSG.pack(0, 0, index, 0, 0))
        if number(attributes(answer[_IFINFOMSG.size :]).get(_IFLA_OPERSTATE)) == _IF_OPER_UP:
            return
        if time.monotonic() >= deadline:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        time.sleep(_PAUSE_S)


def _drop_multicast_route(route: RouteSocket, index: int) -> None:
    """IPv6 gives each interface a route to ff00::/8; here it could draw the host's own multicasts."""
    head = _RTMSG.pack(_AF_INET6, 8, 0, 0, _RT_TABLE_LOCAL, 0, 0, _RTN_MULTICAST, 0)
    to = attribute(_RTA_DST, b"\xff" + bytes(15)) + attribute(_RTA_OIF, struct.pack("=I", index))
    try:
        route.change(_RTM_DELROUTE, 0, head + to)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):  # gone already, or no IPv6
            raise
