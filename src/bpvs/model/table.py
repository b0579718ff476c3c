# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual server table: services and their servers, with the rules of IPVS for changing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bpvs.model.address import Address, Family
from bpvs.model.check import Check
from bpvs.model.connection import KEEP_TIMEOUTS, Timeouts
from bpvs.model.errors import (
    InvalidLocal,
    LocalExists,
    NoSuchLocal,
    NoSuchServer,
    NoSuchService,
    OutOfRange,
    ServerExists,
    ServiceExists,
    ServiceNotDefined,
    SynproxyMethod,
)
from bpvs.model.server import Method, RealServer
from bpvs.model.service import ServiceKey, VirtualService

PAST_DIRECTOR = (Method.ROUTE, Method.TUNNEL)  # replies go straight to the client

Content = tuple[VirtualService, Iterable[RealServer], Iterable[Address]]
Step = tuple[str, "RealServer | None"]
_Servers = dict[tuple[Address, int], RealServer]
_Locals = dict[Address, None]  # a set that keeps its order


class Table:
    """Services, their servers and local addresses in memory; a refused operation changes nothing.

    `check` is asked after the table's own rules and before every add and edit; it refuses by raising. The order of
    the refusals is that of net/netfilter/ipvs/ip_vs_ctl.c. Every operation takes constant time, except that editing
    a service to have SYNPROXY looks at its servers.

    What has happened since construction: `dirty` holds the keys of services changed or deleted, `fresh` the keys of
    services that were added (also after a delete), whose counters therefore start at zero; `zeroed` and `zeroed_all`
    say what `zero` asked for, `timeouts` what `set_timeouts` did (0: nothing), `sysctls` what `set_sysctls` did.
    `journal` tells for each changed service what happened, in order: ("add", server), ("edit", server),
    ("delete", server) or ("scheduler", None); schedulers remember across changes by it. `remarks` are sentences for
    whoever made the change; a data plane has them when it has published it.
    """

    def __init__(self, check: Check | None = None) -> None:
        self._check = check or Check()
        self._services: dict[ServiceKey, VirtualService] = {}
        self._servers: dict[ServiceKey, _Servers] = {}
        self._locals: dict[ServiceKey, _Locals] = {}
        self.dirty: set[ServiceKey] = set()
        self.journal: dict[ServiceKey, list[Step]] = {}
        self.fresh: set[ServiceKey] = set()
        self.zeroed: set[ServiceKey] = set()
        self.zeroed_all = False
        self.timeouts = KEEP_TIMEOUTS
        self._server_count = 0
        self.sysctls: dict[str, int] = {}
        self.remarks: list[str] = []

    @classmethod
    def of(cls, content: Iterable[Content], check: Check | None = None) -> Table:
        """A table that holds `content` and counts nothing of it as changed.

        `content`: services, each with its servers, newest first, and its local addresses, oldest first.
        """
        table = cls(check)
        for service, servers, addresses in content:
            table._services[service.key] = service
            table._servers[service.key] = {(s.address, s.port): s for s in reversed(list(servers))}
            table._locals[service.key] = dict.fromkeys(addresses)
            table._server_count += len(table._servers[service.key])
        return table

    def copy(self, check: Check | None = None) -> Table:
        """The same content in a new table with its own check and no changes."""
        content = ((service, self.servers(key), self.locals(key)) for key, service in self._services.items())
        return Table.of(content, check)

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

    def server(self, key: ServiceKey, address: Address, port: int) -> RealServer:
        """One server of a service; NoSuchService, NoSuchServer."""
        self.service(key)
        try:
            return self._servers[key][address, port]
        except KeyError:
            raise NoSuchServer from None

    def locals(self, key: ServiceKey) -> tuple[Address, ...]:
        """The local addresses of a service, oldest first; NoSuchService."""
        self.service(key)
        return tuple(self._locals[key])

    def has(self, key: ServiceKey) -> bool:
        """True if the service exists."""
        return key in self._services

    def __len__(self) -> int:
        return len(self._services)

    def add_service(self, service: VirtualService) -> None:
        """Add a service without servers and local addresses; ServiceExists."""
        if service.key in self._services:
            raise ServiceExists
        self._check.room(len(self._services) + 1, self._server_count)
        self._check.service(service, ())
        self._services[service.key] = service
        self._servers[service.key] = {}
        self._locals[service.key] = {}
        self.fresh.add(service.key)
        self.zeroed.discard(service.key)
        self.dirty.add(service.key)
        self.journal[service.key] = []

    def edit_service(self, service: VirtualService) -> None:
        """Replace everything but the servers and local addresses; NoSuchService, SynproxyMethod."""
        old = self.service(service.key)
        if service.synproxy and any(server.method in PAST_DIRECTOR for server in self.servers(service.key)):
            raise SynproxyMethod
        self._check.service(service, self.servers(service.key))
        self._services[service.key] = service
        self.dirty.add(service.key)
        if service.scheduler != old.scheduler:
            self._note(service.key, "scheduler", None)

    def delete_service(self, key: ServiceKey) -> None:
        """Remove a service, its servers and local addresses; NoSuchService."""
        self.service(key)
        self._server_count -= len(self._servers[key])
        del self._services[key], self._servers[key], self._locals[key]
        self.fresh.discard(key)
        self.zeroed.discard(key)
        self.dirty.add(key)

    def clear(self) -> None:
        """Remove everything."""
        self.dirty.update(self._services)
        self._services.clear()
        self._servers.clear()
        self._locals.clear()
        self._server_count = 0
        self.fresh.clear()
        self.zeroed.clear()

    def zero(self, key: ServiceKey | None) -> None:
        """Set the counters of one service, or with None of everything, to zero; NoSuchService."""
        if key is None:
            self.zeroed_all = True
        else:
            self.service(key)
            self.zeroed.add(key)

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Change the timeouts of connections; 0 keeps what is."""
        self.timeouts = timeouts.over(self.timeouts)

    def set_sysctls(self, values: Mapping[str, int]) -> None:
        """Change settings, by the names in `bpvs.model.sysctls`; InvalidSysctl, and then none of them."""
        from bpvs.model.sysctls import changeable

        self.sysctls.update(changeable(values))

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        """Put a server at the head of the service's list.

        ServiceNotDefined, OutOfRange, ServerExists, SynproxyMethod.
        """
        service, servers = self._servers_of(key)
        _require_order(server)
        if (server.address, server.port) in servers:
            raise ServerExists
        _require_way_back(service, server)
        self._check.room(len(self._services), self._server_count + 1)
        self._check.server(service, server)
        servers[server.address, server.port] = server
        self._server_count += 1
        self.dirty.add(service.key)
        self._note(service.key, "add", server)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        """Replace a server in its place of the list.

        ServiceNotDefined, OutOfRange, NoSuchServer, SynproxyMethod.
        """
        service, servers = self._servers_of(key)
        _require_order(server)
        if (server.address, server.port) not in servers:
            raise NoSuchServer
        _require_way_back(service, server)
        self._check.server(service, server)
        servers[server.address, server.port] = server
        self.dirty.add(key)
        self._note(key, "edit", server)

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        """Remove a server; ServiceNotDefined, NoSuchServer."""
        _, servers = self._servers_of(key)
        gone = servers.pop((address, port), None)
        if gone is None:
            raise NoSuchServer
        self._server_count -= 1
        self.dirty.add(key)
        self._note(key, "delete", gone)

    def add_local(self, key: ServiceKey, address: Address) -> None:
        """Give FullNAT one more address to speak to servers from; ServiceNotDefined, InvalidLocal, LocalExists."""
        service, addresses = self._locals_of(key)
        _require_source(service, address)
        if address in addresses:
            raise LocalExists
        self._check.local(service, address)
        addresses[address] = None
        self.dirty.add(key)

    def delete_local(self, key: ServiceKey, address: Address) -> None:
        """Remove a local address; ServiceNotDefined, NoSuchLocal."""
        _, addresses = self._locals_of(key)
        if address not in addresses:
            raise NoSuchLocal
        del addresses[address]
        self.dirty.add(key)

    def _servers_of(self, key: ServiceKey) -> tuple[VirtualService, _Servers]:
        try:
            service = self._services[key]
        except KeyError:
            raise ServiceNotDefined from None
        return service, self._servers[service.key]  # the very key: an equal one would have to be compared

    def _locals_of(self, key: ServiceKey) -> tuple[VirtualService, _Locals]:
        try:
            return self._services[key], self._locals[key]
        except KeyError:
            raise ServiceNotDefined from None

    def _note(self, key: ServiceKey, what: str, server: RealServer | None) -> None:
        self.journal.setdefault(key, []).append((what, server))


def _require_order(server: RealServer) -> None:
    if server.lower > server.upper:
        raise OutOfRange


def _require_way_back(service: VirtualService, server: RealServer) -> None:
    if service.synproxy and server.method in PAST_DIRECTOR:
        raise SynproxyMethod


def _require_source(service: VirtualService, address: Address) -> None:
    if not address.is_routable:
        raise InvalidLocal
    if address.is_ipv6 and service.key.family == Family.IPV4:
        raise InvalidLocal("An IPv4 service has IPv4 servers, which an IPv6 local address cannot reach")
