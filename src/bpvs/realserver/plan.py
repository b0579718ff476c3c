# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real server shall be: values and their rules; no I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from bpvs.model import Address, Family
from bpvs.model.address import V4_MAPPED_PREFIX

GUE_PORT = 6080  # what ipvsadm's manual uses, and the kernel's documentation of fou


@dataclass(frozen=True, slots=True)
class Prefix:
    """A network: its address and the number of leading bits that count."""

    address: Address
    bits: int

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """Read "10.0.0.0/8", "2001:db8::/32" or one address; ValueError with the right form."""
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is not a network; right would be 10.0.0.0/8 or 2001:db8::/32") from error
        return cls(Address.parse(str(network.network_address)), network.prefixlen)

    @property
    def mapped_bits(self) -> int:
        """The length as the programs count it, who know IPv4 addresses as ::ffff:a.b.c.d."""
        return self.bits + (0 if self.address.is_ipv6 else 8 * len(V4_MAPPED_PREFIX))

    @classmethod
    def from_mapped(cls, bits: int, mapped: bytes) -> Prefix:
        """The reverse of `mapped_bits` and `address.mapped`."""
        longest = 8 * len(V4_MAPPED_PREFIX)
        if bits >= longest and mapped.startswith(V4_MAPPED_PREFIX):
            return cls(Address.from_mapped(Family.IPV4, mapped), bits - longest)
        return cls(Address(Family.IPV6, mapped), bits)

    def __str__(self) -> str:
        return f"{self.address}/{self.bits}"


ANYWHERE = Prefix(Address.parse("::"), 0)  # for the programs, IPv4 lies in it too


@dataclass(frozen=True, slots=True)
class Plan:
    """The state that `up` brings about.

    `devices`: names, None for all Ethernet interfaces that are up. `cgroup`: the folder of the cgroup whose sockets
    learn their clients from TOA, None for none. `tunnel_from`, `toa_from`: who is believed.
    """

    vips: tuple[Address, ...]
    devices: tuple[str, ...] | None = None
    gue_port: int = GUE_PORT
    cgroup: str | None = None
    tunnel_from: tuple[Prefix, ...] = (ANYWHERE,)
    toa_from: tuple[Prefix, ...] = (ANYWHERE,)


def parse_vip(text: str) -> Address:
    """Read a virtual address; ValueError that tells why it cannot be one."""
    address = Address.parse(text)
    found = ipaddress.ip_address(address.packed)
    reasons = {
        "multicast": found.is_multicast,
        "unspecified": found.packed[0] == 0 if found.version == 4 else found.is_unspecified,
        "a loopback address": found.is_loopback,
        "broadcast": found.packed == b"\xff\xff\xff\xff",
        "link-local": found.is_link_local,
        "an IPv4-mapped address": address.is_ipv6 and found.packed.startswith(V4_MAPPED_PREFIX),
    }
    for reason, applies in reasons.items():
        if applies:
            raise ValueError(f"{text} cannot be a virtual address: it is {reason}")
    return address
