# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of an instance that mark packets: two lists in one map, of which one store tells what is in force."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from bpvs.director.lists import wait_for_packets
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, Family, InvalidMarkRule, Protocol
from bpvs.model.mark_rule import MarkRule
from bpvs.model.network import Network
from bpvs.net.links import links

_COUNT_MASK = 0xFFFF
_FIRST_SHIFT = 16
_NO_INTERFACE = 0xFFFFFFFF
_RANGE = struct.Struct("=HH")
_FIELDS = ("src", "src_mask", "dst", "dst_mask", "mark", "family", "protocol", "ranges", "ports", "interface")
_BITS = 128


def read(instance: Instance) -> tuple[MarkRule, ...]:
    """The rules in force, in their order."""
    in_force = instance.settings.load(0, "mark_rules")
    rows = instance.mark_rules.rows(in_force >> _FIRST_SHIFT, in_force & _COUNT_MASK, *_FIELDS)
    return tuple(_unpack(row) for row in rows)


def write(instance: Instance, rules: Sequence[MarkRule]) -> None:
    """Put these rules in force, all at once; InvalidMarkRule if they are too many. The caller holds the lock."""
    if len(rules) > _abi.MAX_MARK_RULES:
        raise InvalidMarkRule(f"an instance holds {_abi.MAX_MARK_RULES} rules, not {len(rules)}")
    indexes = {link.name: link.index for link in links()}
    before = instance.settings.load(0, "mark_rules") >> _FIRST_SHIFT
    first = 0 if before else _abi.MAX_MARK_RULES
    wait_for_packets()  # some may be reading this list still, from before the last change
    for row, rule in enumerate(rules, first):
        instance.mark_rules.write(row, _pack(rule, indexes))
    instance.settings.store(0, "mark_rules", first << _FIRST_SHIFT | len(rules) if rules else 0)


def settle(instance: Instance) -> None:
    """Give rules for an interface the index that it has by now."""
    in_force = instance.settings.load(0, "mark_rules")
    first, count = in_force >> _FIRST_SHIFT, in_force & _COUNT_MASK
    if not count:
        return
    indexes: dict[str, int] = {}
    for row, (index, name) in enumerate(instance.mark_rules.rows(first, count, "ifindex", "interface"), first):
        if any(name):
            indexes = indexes or {link.name: link.index for link in links()}
            wanted = indexes.get(_text(name), _NO_INTERFACE)
            if index != wanted:
                instance.mark_rules.store(row, "ifindex", wanted)


def absent(rules: Iterable[MarkRule]) -> set[str]:
    """The interfaces of these rules that this namespace has not."""
    return {rule.interface for rule in rules if rule.interface} - {link.name for link in links()}


def _pack(rule: MarkRule, indexes: dict[str, int]) -> bytes:
    src = rule.src or Network(Address(rule.dst.family, bytes(len(rule.dst.address.packed))), 0)
    return _abi.MARK_RULE.pack(
        src=src.address.mapped,
        src_mask=_mask(src),
        dst=rule.dst.address.mapped,
        dst_mask=_mask(rule.dst),
        mark=rule.mark,
        ifindex=indexes.get(rule.interface, _NO_INTERFACE) if rule.interface else 0,
        family=int(rule.dst.family),
        protocol=int(rule.protocol or 0),
        ranges=len(rule.ports),
        ports=b"".join(_RANGE.pack(*ends) for ends in rule.ports),
        interface=rule.interface.encode("utf-8", "surrogateescape"),
    )


def _mask(network: Network) -> bytes:
    behind = network.bits - network.length
    return ((1 << _BITS) - (1 << behind)).to_bytes(_BITS // 8, "big")


def _unpack(row: tuple[bytes, bytes, bytes, bytes, int, int, int, int, bytes, bytes]) -> MarkRule:
    src, src_mask, dst, dst_mask, mark, family, protocol, ranges, ports, interface = row
    source = _network(Family(family), src, src_mask)
    return MarkRule(
        mark=mark,
        dst=_network(Family(family), dst, dst_mask),
        src=source if source.length else None,
        protocol=Protocol(protocol) if protocol else None,
        ports=tuple(_RANGE.iter_unpack(ports[: ranges * _RANGE.size])),
        interface=_text(interface),
    )


def _network(family: Family, mapped: bytes, mask: bytes) -> Network:
    address = Address.from_mapped(family, mapped)
    behind = _BITS - int.from_bytes(mask, "big").bit_count()
    return Network(address, 8 * len(address.packed) - behind)


def _text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("utf-8", "surrogateescape")
