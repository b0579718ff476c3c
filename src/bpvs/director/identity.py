# SPDX-License-Identifier: GPL-2.0-or-later
"""Services as the maps name them: by address, port and protocol.

A service by mark has its mark in the place of the address, ::ffff:0.0.0.7 or ::7 by family, and port and protocol 0.
"""

from __future__ import annotations

from _socket import htons, ntohs

from bpvs.kernel import _abi
from bpvs.model import Family, Protocol, ServiceKey
from bpvs.model.address import V4_MAPPED_PREFIX, Address

Virtual = tuple[bytes, int, int]  # address, port in host byte order, protocol

_MARK_PREFIXES = {Family.IPV4: V4_MAPPED_PREFIX, Family.IPV6: bytes(12)}


def virtual_of(key: ServiceKey) -> Virtual:
    """The three of a service."""
    if key.address is None or key.protocol is None:
        return _MARK_PREFIXES[key.family] + key.fwmark.to_bytes(4, "big"), 0, 0
    return key.address.mapped, key.port, int(key.protocol)


def key_of(family: Family, virtual: Virtual) -> ServiceKey:
    """The service of the three."""
    mapped, port, protocol = virtual
    if not protocol:
        return ServiceKey.marked(int.from_bytes(mapped[12:], "big"), family)
    return ServiceKey.at(Protocol(protocol), Address.from_mapped(family, mapped), port)


def is_probe(key: ServiceKey) -> bool:
    """Whether it is the service of a probe, which no table shows."""
    return 0 <= key.fwmark - _abi.FIRST_PROBE_MARK < _abi.PROBE_MARKS


def pack_key(key: ServiceKey) -> bytes:
    """struct service_key."""
    address, port, protocol = virtual_of(key)
    return _abi.SERVICE_KEY.pack(address=address, port=htons(port), protocol=protocol)


def pack_head(key: ServiceKey) -> bytes:
    """A service's row up to its plans, not yet in force."""
    address, port, protocol = virtual_of(key)
    packed = _abi.SERVICE.pack(address=address, port=htons(port), protocol=protocol)
    return packed[: _abi.SERVICE.offset("plan")]


def unpack_head(family: int, address: bytes, port: int, protocol: int) -> ServiceKey:
    """The service of a row's fields, the port as it lies there."""
    return key_of(Family(family), (address, ntohs(port), protocol))


def protocols(key: ServiceKey) -> tuple[Protocol, ...]:
    """What its connections can be, among those that FullNAT forwards."""
    return (Protocol.TCP, Protocol.UDP) if key.protocol is None else (key.protocol,)
