# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual server table: services and their servers, with the rules of IPVS for changing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bpvs.model.address import Address
from bpvs.model.errors import (
    NoSuchServer,
    NoSuchService,
    OutOfRange,
    ServerExists,
    ServiceExists,
    ServiceNotDefined,
)
from bpvs.model.server import RealServer
from bpvs.model.service import ServiceKey, VirtualService

Check = Callable[[VirtualService, "RealServer | None"], None]
Step = tuple[str, "RealServer | None"]
_Servers = dict[tuple[Address, int], RealServer]


class Table:
    """Services and servers in memory; every operation takes constant time, and a refused one changes nothing.

    `check(service, server or None)` is asked after the table's own rules and before every add and edit; it refuses by
    raising. The order of the refusals is that of net/netfilter/ipvs/ip_vs_ctl.c.

    What has happened since construction: `dirty` holds the keys of services changed or deleted, `fresh` the keys of
    services that were added (also after a delete), whose counters therefore start at zero; `zeroed` and `zeroed_all`
    say what `zero` asked for. `journal` tells for each changed service what happened, in order: ("add", server),
    ("edit", server), ("delete", server) or ("scheduler", None); schedulers remember across changes by it.
    """

    def __init__(self, check: Check | None = None) -> None:
        self._check = check
        self._services: dict[ServiceKey, VirtualService] = {}
        self._servers: dict[ServiceKey, _Servers] = {}
        self.dirty: set[ServiceKey] = set()
        self.journal: dict[ServiceKey, list[Step]] = {}
        self.fresh: set[ServiceKey] = set()
        self.zeroed: set[ServiceKey] = set()
        self.zeroed_all = False

    @classmethod
    def of(cls, content: Iterable[tuple[VirtualService, Iterable[RealServer]]], check: Check | None = None) -> Table:
        """A table that holds `content` (servers newest first) and counts nothing of it as changed."""
        table = cls(check)
        for service, servers in content:
            table._services[service.key] = service
            table._servers[service.key] = {(s.address, s.port): s for s in reversed(list(servers))}
        return table

    def copy(self, check: Check | None = None) -> Table:
        """The same content in a new table with its own check and no changes."""
        return Table.of(((service, self.servers(key)) for key, service in self._services.items()), check)

    def services(self) -> Iterator[VirtualService]:
        """All services, oldest first."""
        return iter(self._services.values())

    def service(self, key: ServiceKey) -> VirtualService:
        """The service with this key; NoSuchService."""
        try:
            return self._services[key]
        except KeyError:
            raise NoSuchService from None

    def servers(self, key: ServiceKey) -> Iterator[RealServer]:
        """The servers of a service, newest first as the schedulers walk them; NoSuchService."""
        self.service(key)
        return reversed(self._servers[key].values())

    def has(self, key: ServiceKey) -> bool:
        """True if the service exists."""
        return key in self._services

    def __len__(self) -> int:
        return len(self._services)

    def add_service(self, service: VirtualService) -> None:
        """Add a service without servers; ServiceExists."""
        if service.key in self._services:
            raise ServiceExists
        self._ask(service, None)
        self._services[service.key] = service
        self._servers[service.key] = {}
        self.fresh.add(service.key)
        self.zeroed.discard(service.key)
        self.dirty.add(service.key)
        self.journal[service.key] = []

    def edit_service(self, service: VirtualService) -> None:
        """Replace everything but the servers; NoSuchService."""
        old = self.service(service.key)
        self._ask(service, None)
        self._services[service.key] = service
        self.dirty.add(service.key)
        if service.scheduler != old.scheduler:
            self._note(service.key, "scheduler", None)

    def delete_service(self, key: ServiceKey) -> None:
        """Remove a service and its servers; NoSuchService."""
        self.service(key)
        del self._services[key], self._servers[key]
        self.fresh.discard(key)
        self.zeroed.discard(key)
        self.dirty.add(key)

    def clear(self) -> None:
        """Remove everything."""
        self.dirty.update(self._services)
        self._services.clear()
        self._servers.clear()
        self.fresh.clear()
        self.zeroed.clear()

    def zero(self, key: ServiceKey | None) -> None:
        """Set the counters of one service, or with None of everything, to zero; NoSuchService."""
        if key is None:
            self.zeroed_all = True
        else:
            self.service(key)
            self.zeroed.add(key)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        """Put a server at the head of the service's list; ServiceNotDefined, OutOfRange, ServerExists."""
        service, servers = self._servers_of(key)
        _require_order(server)
        if (server.address, server.port) in servers:
            raise ServerExists
        self._ask(service, server)
        servers[server.address, server.port] = server
        self.dirty.add(key)
        self._note(key, "add", server)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        """Replace a server in its place of the list; ServiceNotDefined, OutOfRange, NoSuchServer."""
        service, servers = self._servers_of(key)
        _require_order(server)
        if (server.address, server.port) not in servers:
            raise NoSuchServer
        self._ask(service, server)
        servers[server.address, server.port] = server
        self.dirty.add(key)
        self._note(key, "edit", server)

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        """Remove a server; ServiceNotDefined, NoSuchServer."""
        _, servers = self._servers_of(key)
        gone = servers.pop((address, port), None)
        if gone is None:
            raise NoSuchServer
        self.dirty.add(key)
        self._note(key, "delete", gone)

    def _servers_of(self, key: ServiceKey) -> tuple[VirtualService, _Servers]:
        try:
            return self._services[key], self._servers[key]
        except KeyError:
            raise ServiceNotDefined from None

    def _note(self, key: ServiceKey, what: str, server: RealServer | None) -> None:
        self.journal.setdefault(key, []).append((what, server))

    def _ask(self, service: VirtualService, server: RealServer | None) -> None:
        if self._check is not None:
            self._check(service, server)


def _require_order(server: RealServer) -> None:
    if server.lower > server.upper:
        raise OutOfRange
