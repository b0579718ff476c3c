# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real server shall be: values and their rules; no I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from bpvs.model import Address
from bpvs.model.address import V4_MAPPED_PREFIX
from bpvs.model.network import Network

GUE_PORT = 6080  # what ipvsadm's manual uses, and the kernel's documentation of fou


ANYWHERE = Network(Address.parse("::"), 0)  # for the programs, IPv4 lies in it too


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
    tunnel_from: tuple[Network, ...] = (ANYWHERE,)
    toa_from: tuple[Network, ...] = (ANYWHERE,)


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
