# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual services: what clients connect to."""

from __future__ import annotations

from enum import IntEnum

from bpvs.model.address import Address, Family
from bpvs.model.value import dataclass

IPV4_FULL_MASK = 0xFFFFFFFF
IPV6_FULL_MASK = 128

# Scheduler flags, bits of the kernel's IP_VS_SVC_F_SCHED*; sh and mh call 1 "fallback" and 2 "port".
FLAG_1 = 0x08
FLAG_2 = 0x10
FLAG_3 = 0x20


class Protocol(IntEnum):
    """Transport protocol; the numbers are those of the IP header."""

    __hash__ = int.__hash__  # an enum's own is a Python call, and protocols are keys of every listing

    TCP = 6
    UDP = 17
    SCTP = 132


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """What makes a service unique: family with protocol, address and port, or family with a firewall mark.

    A service by mark has no protocol, no address and port 0; a service by address has `fwmark` 0.
    """

    family: Family
    protocol: Protocol | None
    address: Address | None
    port: int
    fwmark: int = 0

    def __post_init__(self) -> None:
        if self.fwmark:
            right = self.protocol is None and self.address is None and self.port == 0
        else:
            right = self.protocol is not None and self.address is not None and self.address.family == self.family
        if not right:
            raise ValueError("a service has either a mark or protocol, address and port of its family")

    def __hash__(self) -> int:
        # Without family and protocol, whose enum hashes are slow Python calls; equality still compares everything.
        return hash((self.address and self.address.packed, self.port, self.fwmark))

    @classmethod
    def at(cls, protocol: Protocol, address: Address, port: int) -> ServiceKey:
        """The key of a service by address; `port` in host byte order."""
        return cls(address.family, protocol, address, port)

    @classmethod
    def marked(cls, fwmark: int, family: Family = Family.IPV4) -> ServiceKey:
        """The key of a service by firewall mark, 1 to 2^32 - 1."""
        return cls(family, None, None, 0, fwmark)


@dataclass(frozen=True, slots=True)
class VirtualService:
    """One virtual service as `ipvsadm -A` describes it.

    `scheduler`: name, "none" for a service without one. `flags`: FLAG_1 | FLAG_2 | FLAG_3. `persistence`: seconds,
    None for a service that is not persistent. `netmask`: IPv4 a 32-bit mask in host byte order, IPv6 a prefix
    length; None stands for the full mask. `engine`: name of the persistence engine, "" for none.
    `ops`: one-packet scheduling. `synproxy`: answer SYNs with cookies; a server sees proven clients only.
    """

    key: ServiceKey
    scheduler: str = "wlc"
    flags: int = 0
    persistence: int | None = None
    netmask: int | None = None
    engine: str = ""
    ops: bool = False
    synproxy: bool = False

    @property
    def mask(self) -> int:
        """The mask in force: `netmask`, or the full mask of the family."""
        if self.netmask is not None:
            return self.netmask
        return IPV6_FULL_MASK if self.key.family == Family.IPV6 else IPV4_FULL_MASK
