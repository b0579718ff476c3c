# SPDX-License-Identifier: GPL-2.0-or-later
"""IP addresses of both families in one type."""

from __future__ import annotations

# The C module below socket: importing socket itself costs milliseconds of enum building on every ipvsadm run.
from _socket import inet_ntop, inet_pton
from enum import IntEnum

from bpvs.model.value import dataclass

V4_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class Family(IntEnum):
    """Address family; the numbers are AF_INET and AF_INET6."""

    IPV4 = 2
    IPV6 = 10


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address: `packed` is in network byte order, 4 bytes for IPv4 and 16 for IPv6."""

    family: Family
    packed: bytes

    def __post_init__(self) -> None:
        want = 4 if self.family == Family.IPV4 else 16
        if len(self.packed) != want:
            raise ValueError(f"an {self.family.name} address has {want} bytes, got {len(self.packed)}")

    def __hash__(self) -> int:
        # bytes remember their hash, and hashing an enum member is a slow Python call: this is ten times faster.
        return hash(self.packed)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read the usual notation (four decimal parts, or RFC 4291 section 2.2); ValueError for anything else."""
        family = Family.IPV6 if ":" in text else Family.IPV4
        try:
            return cls(family, inet_pton(family, text))
        except (OSError, ValueError) as error:
            raise ValueError(f"{text!r} is not an IP address; right would be 192.0.2.1 or 2001:db8::1") from error

    @classmethod
    def from_mapped(cls, family: Family, mapped: bytes) -> Address:
        """The reverse of `mapped`; the family is given because ::ffff:a.b.c.d is also an IPv6 address."""
        return cls(family, mapped[12:] if family == Family.IPV4 else mapped)

    @property
    def mapped(self) -> bytes:
        """16 bytes for the maps of the data path: IPv6 as it is, IPv4 as ::ffff:a.b.c.d."""
        return V4_MAPPED_PREFIX + self.packed if self.family == Family.IPV4 else self.packed

    @property
    def is_ipv6(self) -> bool:
        """True for IPv6, also for an IPv4-mapped one."""
        return self.family == Family.IPV6

    @property
    def is_routable(self) -> bool:
        """True for unicast that other hosts can answer: not loopback, nor link-local or mapped IPv6 (RFC 4291)."""
        first, second = self.packed[0], self.packed[1]
        if self.family == Family.IPV4:
            return 0 < first < 224 and first != 127
        is_link_local = first == 0xFE and second & 0xC0 == 0x80
        is_special = self.packed[:15] == bytes(15) or self.packed.startswith(V4_MAPPED_PREFIX)
        return first != 0xFF and not is_link_local and not is_special

    def __str__(self) -> str:
        return inet_ntop(self.family, self.packed)
