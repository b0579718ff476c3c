# SPDX-License-Identifier: GPL-2.0-or-later
"""What an agent is and has seen, with what an operator should know."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from bpvs.kernel import bpffs
from bpvs.kernel.maps import HashMap
from bpvs.model.network import Network
from bpvs.net import tc
from bpvs.net.links import links
from bpvs.realserver import addresses, devices, toa
from bpvs.realserver.contract import contract
from bpvs.realserver.instance import Instance
from bpvs.realserver.plan import ANYWHERE


@dataclass(frozen=True, slots=True)
class Report:
    """The agent of one network namespace.

    `counters`: packets, and for toa_* connections, by what became of them. `cgroup`: "" without TOA. `warnings`:
    sentences about what is missing or in the way.
    """

    cookie: int
    folder: str
    vips: tuple[str, ...]
    devices: tuple[str, ...]
    gue_port: int
    tunnel_from: tuple[str, ...]
    cgroup: str
    toa_from: tuple[str, ...]
    counters: dict[str, int]
    warnings: tuple[str, ...]


def report(instance: Instance, cookie: int) -> Report:
    """Look at everything; changes nothing."""
    names = {link.index: link.name for link in links()}
    return Report(
        cookie,
        os.path.join(bpffs.ROOT, os.path.basename(instance.folder)),
        tuple(map(str, addresses.known(instance))),
        tuple(names[index] for index in sorted(devices.known(instance)) if index in names),
        socket.ntohs(instance.settings.load(0, "gue_port")),
        tuple(map(str, prefixes(instance.tunnel_from))),
        toa.cgroup_of(instance),
        tuple(map(str, prefixes(instance.toa_from))),
        counters(instance),
        tuple(_warnings(instance)),
    )


def counters(instance: Instance) -> dict[str, int]:
    """By the name of enum fate, in small letters."""
    sums = instance.fates.sums(range(contract().numbers["FATE_COUNT"]))
    return {name.lower(): sums[number][0] for number, name in contract().fates.items()}


def prefixes(trie: HashMap) -> list[Network]:
    """The networks in one of the two tries."""
    layout = contract().prefix.select("length", "address")
    return [Network.from_mapped(*layout.unpack(key)) for key in trie]


def _warnings(instance: Instance) -> Iterator[str]:
    present = addresses.on_loopback()
    vips = addresses.known(instance)
    for vip in vips:
        if vip not in present:
            yield f"{vip} is not on lo: packets to it are not accepted; run `bpvs realserver up` again"
    for vip, device in addresses.elsewhere(vips).items():
        if vip.is_ipv6:
            yield f"{vip} is an address of {device}, too, which answers for it in the director's place"
        else:
            yield (
                f"{vip} is an address of {device}, too, but ARP requests for it are dropped: `bpvs realserver down` if "
                "this machine is the director now"
            )
    has_ipv4 = not all(vip.is_ipv6 for vip in vips)
    covered = devices.known(instance)
    for link in links():
        if link.index in covered:
            yield from _about_device(link.index, link.name, has_ipv4=has_ipv4)
    if has_ipv4:
        for link in devices.reachable_by():
            if link.index not in covered:
                yield f"{link.name} answers ARP for the virtual addresses: give it as a further --dev"
    yield from _about_toa(instance)


def _about_device(index: int, name: str, *, has_ipv4: bool) -> Iterator[str]:
    if devices.HANDLE not in tc.ingress_handles(index):
        yield f"somebody took our program from {name}: run `bpvs realserver up` again"
    for feature in devices.merges_datagrams(name):
        yield (
            f"{feature} is on at {name}: the kernel merges packets of GUE as nobody can part them again, and they are "
            f"dropped; `ethtool -K {name} {feature} off`"
        )
    if not has_ipv4:
        return
    if devices.arp_announce(name) < devices.ANNOUNCE_BEST:
        yield (
            f"net.ipv4.conf.{devices.spelt(name)}.arp_announce is below {devices.ANNOUNCE_BEST}: the server's own ARP "
            "requests may claim the virtual addresses; run `bpvs realserver up` again"
        )
    if devices.rp_filter(name) == 1:
        yield (
            f"rp_filter is strict on {name}: packets of clients whom the routing table does not reach by {name} are "
            f"dropped; `sysctl -w net.ipv4.conf.{devices.spelt(name)}.rp_filter=2` makes it loose"
        )


def _about_toa(instance: Instance) -> Iterator[str]:
    cgroup = toa.cgroup_of(instance)
    if not cgroup:
        return
    if not toa.is_attached(instance):
        yield f"the cgroup {cgroup} is gone, and TOA with it: run `bpvs realserver up` again with the one in its place"
    if ANYWHERE in prefixes(instance.toa_from):
        yield "TOA is believed from everybody, so any client can invent its address: name the directors by --toa-from"
