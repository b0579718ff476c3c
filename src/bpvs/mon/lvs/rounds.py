# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers go out of a table and come back into it; every change is noted in the book, and told in words."""

from __future__ import annotations

from dataclasses import replace

from bpvs.model import BpvsError, Family, RealServer, ServiceKey, Table
from bpvs.mon.lvs.book import Holder, Place, Taken
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.names import PROTOCOL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpvs.model import Address
    from bpvs.mon.lvs.choice import Choice

_NUMERIC = EndpointPrinter()


def spoken(key: ServiceKey) -> str:
    """A service as the option --service takes it."""
    if key.address is None or key.protocol is None:
        return f"fwm:{key.fwmark}" + (" (IPv6)" if key.family is Family.IPV6 else "")
    return f"{PROTOCOL_NAMES[key.protocol]}:{_NUMERIC.text(key.address, key.port, None)}"


def spoken_place(place: Place) -> str:
    """A server and its service."""
    key, address, port = place
    return f"{_NUMERIC.text(address, port, None)} of {spoken(key)}"


class Round:
    """One call's changes of a table and of what is taken; `notes` tells what came of it, a phrase each.

    `name`: the holder's, group:service. What the table refuses is told and stays as it is.
    """

    def __init__(self, table: Table, taken: dict[Place, Taken], choice: Choice, name: str) -> None:
        self._table = table
        self._taken = taken
        self._choice = choice
        self._name = name
        self.notes: list[str] = []

    def take_out(self, hosts: Mapping[Address, str], since: int, summary: str) -> None:
        """Every server with one of these addresses that the choice means goes out; who is out gets one more holder."""
        known = set()
        for place, server in list(self._servers()):
            if server.address in hosts:
                known.add(hosts[server.address])
                self._take(place, server, Holder(hosts[server.address], since, summary))
        for place, taken in list(self._taken.items()):
            if taken.server.address in hosts and self._choice.takes(taken.key, taken.server):
                known.add(hosts[taken.server.address])
                if self._name not in taken.holders:
                    self._hold(place, taken, Holder(hosts[taken.server.address], since, summary))
        self.notes += [f"{host} is a server of no such service" for host in set(hosts.values()) - known]

    def bring_back(self, is_meant: Callable[[str], bool]) -> None:
        """What this name holds out for the hosts that are meant comes back, unless others hold it too."""
        for place, taken in list(self._taken.items()):
            holder = taken.holders.get(self._name)
            if holder is None or not is_meant(holder.host) or not self._choice.takes(taken.key, taken.server):
                continue
            others = {name: one for name, one in taken.holders.items() if name != self._name}
            if others:
                self._taken[place] = replace(taken, holders=others)
                self.notes.append(f"{spoken_place(place)} stays out for {', '.join(others)}")
            elif self._try(place, lambda taken=taken: self._restore(taken)):  # type: ignore[misc]
                del self._taken[place]

    def _servers(self) -> Iterator[tuple[Place, RealServer]]:
        for service in self._table.services():
            for server in self._table.servers(service.key):
                if self._choice.takes(service.key, server):
                    yield (service.key, server.address, server.port), server

    def _take(self, place: Place, server: RealServer, holder: Holder) -> None:
        before = self._taken.get(place)
        if server.weight == 0 and not self._choice.removes:
            if before is None:
                self.notes.append(f"{spoken_place(place)} has weight 0 already")
            return
        if self._choice.keeps_last and server.weight > 0 and self._is_last(place):
            self.notes.append(f"{spoken_place(place)} stays: it is the last one")
            return
        # A server that only had weight 0 by our hand is remembered with the weight that it had.
        was = before.server if before and not before.is_removed and server.weight == 0 else server
        if self._try(place, lambda: self._go(place, server)):
            self._hold(place, Taken(place[0], was, self._choice.removes, before.holders if before else {}), holder)

    def _go(self, place: Place, server: RealServer) -> str:
        if self._choice.removes:
            self._table.delete_server(*place)
            return "removed"
        self._table.edit_server(place[0], replace(server, weight=0))
        return "got weight 0"

    def _restore(self, taken: Taken) -> str:
        """Whatever somebody else did to the server meanwhile is left as it is."""
        table, server = self._table, taken.server
        if not table.has(taken.key):
            return "forgotten: the service is gone"
        found = next((one for one in table.servers(taken.key) if (one.address, one.port) == taken.place[1:]), None)
        if taken.is_removed:
            if found is not None:
                return "is back already"
            table.add_server(taken.key, server)
            return f"back with weight {server.weight}"
        if found is None:
            return "forgotten: it was deleted"
        if found.weight > 0:
            return f"has weight {found.weight} already"
        table.edit_server(taken.key, replace(found, weight=server.weight))
        return f"back with weight {server.weight}"

    def _hold(self, place: Place, taken: Taken, holder: Holder) -> None:
        """The first moment of an outage stays: later calls of the same holder say no news."""
        self._taken[place] = replace(taken, holders={self._name: holder} | taken.holders)

    def _is_last(self, place: Place) -> bool:
        others = (one for one in self._table.servers(place[0]) if (one.address, one.port) != place[1:])
        return all(one.weight == 0 for one in others)

    def _try(self, place: Place, change: Callable[[], str]) -> bool:
        try:
            self.notes.append(f"{spoken_place(place)} {change()}")
        except BpvsError as error:
            self.notes.append(f"{spoken_place(place)}: {error}")
            return False
        return True
