# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses on the interfaces of this namespace: which there are, and further ones."""

from __future__ import annotations

import struct

from bpvs.model import Address, Family
from bpvs.model.value import dataclass
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_EXCL, RouteSocket, attribute, attributes

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
LOOPBACK = 1  # the index of lo, in every network namespace
_IFA_ADDRESS, _IFA_LOCAL, _IFA_CACHEINFO = 1, 2, 6
_IFADDRMSG = struct.Struct("=BBBBI")
_SCOPE_HOST = 254
_FOREVER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Assigned:
    """An address on an interface, as RTM_GETADDR tells it; `bits` is the prefix length."""

    index: int
    address: Address
    bits: int


def assigned() -> list[Assigned]:
    """Every address of both families."""
    with RouteSocket() as route:
        bodies = route.dump(RTM_GETADDR, _IFADDRMSG.pack(0, 0, 0, 0, 0))
    return [one for body in bodies if (one := _parse(body)) is not None]


def add_quietly(address: Address, index: int = LOOPBACK) -> None:
    """Put an address on an interface, alone (/32, /128), such that the kernel never chooses it as a source by itself.

    IPv4: with scope "host", which no route to elsewhere may use; IPv6: deprecated (RFC 6724, rule 3). OSError.
    """
    extra = b""
    if address.is_ipv6:
        extra = attribute(_IFA_CACHEINFO, struct.pack("=IIII", 0, _FOREVER, 0, 0))
    with RouteSocket() as route:
        route.change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _message(address, index) + extra)


def remove_from_loopback(address: Address) -> None:
    """Take such an address from lo; OSError(EADDRNOTAVAIL) if it is not there."""
    with RouteSocket() as route:
        route.change(RTM_DELADDR, 0, _message(address, LOOPBACK))


def _message(address: Address, index: int) -> bytes:
    head = _IFADDRMSG.pack(int(address.family), 8 * len(address.packed), 0, _SCOPE_HOST, index)
    return head + attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)


def _parse(body: bytes) -> Assigned | None:
    family, bits, _flags, _scope, index = _IFADDRMSG.unpack_from(body)
    found = attributes(body[_IFADDRMSG.size :])
    packed = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
    if packed is None or family not in (Family.IPV4, Family.IPV6):
        return None
    return Assigned(index, Address(Family(family), packed), bits)
