# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of the table that are not the host's: the data path answers what neighbours ask about them.

The map `foreign` lists them. Whoever asks for one of IPv6 sends to a multicast group, so every interface attached to
must hear those. What a killed command leaves is set right by the next one, or removed by `bpvs down`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from bpvs.director.interfaces import attached_links
from bpvs.director.rows import Row, address_of
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address
from bpvs.net.address import Judge
from bpvs.net.links import Link
from bpvs.net.proxies import Proxies

_FLAGS = struct.Struct("=I")


def settle(instance: Instance, rows: Iterable[Row], leaving: Iterable[bytes]) -> None:
    """Make map, interfaces and the MAC addresses to answer with agree with the services in force.

    `leaving`: local addresses that no service has any more, but connections do; as they stand in the maps.
    """
    foreign = instance.foreign
    before = set(foreign)
    wanted = _foreigners(rows, map(address_of, leaving))
    if not before and not wanted:
        return
    for address, flags in wanted.items():
        foreign[address.mapped] = _FLAGS.pack(flags)
    links = [link for link in attached_links(instance) if link.is_ethernet]
    _introduce(instance, links)
    _listen(links, [address.packed for address in wanted if address.is_ipv6 and wanted[address] & _abi.FOREIGN_LOCAL])
    for key in before.difference(address.mapped for address in wanted):
        del foreign[key]
    instance.settings.store(0, "foreigners", len(wanted))
    news = [one for one, flags in wanted.items() if flags & _abi.FOREIGN_LOCAL and one.mapped not in before]
    if news:
        _announce(links, news)


def clear() -> None:
    """No interface of this namespace listens for any of them any more."""
    _listen([], [])


def _foreigners(rows: Iterable[Row], leaving: Iterable[Address]) -> dict[Address, int]:
    """enum foreign_flags by address."""
    found = dict.fromkeys(leaving, _abi.FOREIGN_LOCAL)
    for row in rows:
        virtual = row.service.key.address
        if virtual is not None:
            found[virtual] = found.get(virtual, 0) | _abi.FOREIGN_VIRTUAL
        for local in row.locals:
            found[local] = found.get(local, 0) | _abi.FOREIGN_LOCAL
    with Judge() as judge:
        return {address: flags for address, flags in found.items() if not judge.is_local(address)}


def _introduce(instance: Instance, links: Iterable[Link]) -> None:
    """Tell the data path the MAC addresses of the interfaces."""
    at = _abi.STATION.offset("mac")
    for link in links:
        if link.index < _abi.MAX_STATIONS:
            instance.stations.write(link.index, link.mac, at)


def _announce(links: Iterable[Link], addresses: Iterable[Address]) -> None:
    """Neighbours may know these at a director that had them before: tell them, where the data path answers for each."""
    from bpvs.net.announce import announce  # ipvsadm does without, mostly

    by_index = {link.index: link for link in links}
    with Judge() as judge:
        places = [(judge.interface(address), address) for address in addresses]
    announce((by_index[index], address) for index, address in places if index in by_index)


def _listen(links: Iterable[Link], addresses: Sequence[bytes]) -> None:
    """Have these interfaces, and no others, hear questions for these IPv6 addresses and no others."""
    with Proxies() as proxies:
        ours, others = proxies.read()
        wanted = {(link.index, address) for link in links for address in addresses}
        for entry in wanted - ours - others:
            proxies.add(entry)
        for entry in ours - wanted:
            proxies.remove(entry)
