# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the outer source addresses of tunnels come from: a prefix, so that receivers spread flows over their queues."""

from __future__ import annotations

import struct

from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, DirectorError, Family
from bpvs.model.network import Network

_FIELDS = {Family.IPV4: "spread_ipv4", Family.IPV6: "spread_ipv6"}
_WORD_BITS = 32  # of the address vary at most
_MASK = struct.Struct("=I")


def parse(text: str) -> Network:
    """Read `172.16.0.0/16` or `fd00::/96`; InvalidNetwork, DirectorError for one of which nothing or all would vary."""
    network = Network.parse(text)
    if not 0 < network.length < network.bits:
        host = network.address
        raise DirectorError(f"{text!r} is no network to take sources from: right would be {host}/{network.bits - 16}")
    return network


def mask(network: Network) -> int:
    """The bits that vary, of the address's last 32."""
    return (1 << min(network.bits - network.length, _WORD_BITS)) - 1


def write(instance: Instance, family: Family, prefix: Network | None) -> None:
    """Put a prefix in force, or with None the source address of each way."""
    settings, at = instance.settings, _abi.SETTINGS.offset(_FIELDS[family])
    mask_at = at + _abi.SPREAD.offset("mask")
    settings.write(0, _MASK.pack(0), mask_at)  # while the prefix is half written nobody looks at it
    if prefix is not None:
        settings.write(0, prefix.address.mapped, at)
        settings.write(0, _MASK.pack(mask(prefix)), mask_at)


def read(instance: Instance) -> tuple[Network, ...]:
    """The prefixes in force; of IPv6 prefixes shorter than 96 bits the length is told as 96, which is what varies."""
    found = []
    for family, field in _FIELDS.items():
        content = instance.settings.bytes_at(0, _abi.SETTINGS.offset(field), _abi.SPREAD.size)
        mapped, varying = _abi.SPREAD.select("prefix", "mask").unpack(content)
        if varying:
            address = Address.from_mapped(family, mapped)
            found.append(Network(address, 8 * len(address.packed) - varying.bit_length()))
    return tuple(found)
