# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual service of IPVS with its scheduler, written down a second time and as plainly as possible.

Sources: net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_rr.c, ip_vs_wrr.c; the other schedulers are in the modules beside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import NamedTuple

from bpvs.model import Address


@dataclass(eq=False)
class Server:
    """`kept`: the last weight above 0, or the one that it was added with. `is_listed`: not removed."""

    name: str
    address: Address
    port: int
    weight: int
    kept: int = 0
    active: int = 0
    inactive: int = 0
    is_overloaded: bool = False
    is_listed: bool = True

    @property
    def is_usable(self) -> bool:
        return self.weight > 0 and not self.is_overloaded

    @property
    def load(self) -> int:
        return 256 * self.active + self.active + self.inactive


class Packet(NamedTuple):
    """What a scheduler may look at of a connection's first packet."""

    source: Address
    port: int
    destination: Address


class Scheduler:
    """Chooses one of `servers`, which are in the order of the kernel's list, newest first."""

    def __init__(self, servers: list[Server], flags: frozenset[str]) -> None:
        self.servers = servers
        self.flags = flags

    def leaving(self, server: Server) -> None:
        """The server is about to be removed."""

    def changed(self) -> None:
        """A server was added, edited or removed."""

    def pick(self, packet: Packet, now: int) -> Server | None:
        raise NotImplementedError


class RoundRobin(Scheduler):
    """The server after the last one, weight 0 left out."""

    def __init__(self, servers: list[Server], flags: frozenset[str]) -> None:
        super().__init__(servers, flags)
        self._last: Server | None = None

    def leaving(self, server: Server) -> None:
        if self._last is server:
            place = self.servers.index(server)
            self._last = self.servers[place - 1] if place else None

    def pick(self, packet: Packet, now: int) -> Server | None:
        start = self.servers.index(self._last) + 1 if self._last else 0
        for server in self.servers[start:] + self.servers[:start]:
            if server.is_usable:
                self._last = server
                return server
        return None


class WeightedRoundRobin(Scheduler):
    """Passes over the list with a threshold that falls; a change begins a pass and keeps the threshold if it fits."""

    def __init__(self, servers: list[Server], flags: frozenset[str]) -> None:
        super().__init__(servers, flags)
        self._next, self._step, self._top = 0, 1, 0
        self._restart()
        self._threshold = self._top

    def changed(self) -> None:
        self._restart()
        if self._threshold > self._top or self._threshold == 0:
            self._threshold = self._top
        elif self._step > 1:
            self._threshold = self._threshold // self._step * self._step + 1

    def pick(self, packet: Packet, now: int) -> Server | None:
        if self._top == 0:
            return None
        if not any(server.is_usable for server in self.servers):
            self._give_up()
            return None
        while True:
            for server in self.servers[self._next :]:
                self._next += 1
                if server.weight >= self._threshold and not server.is_overloaded:
                    return server
            self._next = 0
            self._threshold -= self._step
            if self._threshold <= 0:
                self._threshold = self._top

    def _give_up(self) -> None:
        """Where the kernel's loop stops: behind the server used last in a lowest pass, else before a first one."""
        if self._next == 0 or self._threshold > self._step:
            self._next, self._threshold = 0, self._top

    def _restart(self) -> None:
        weights = [server.weight for server in self.servers]
        self._next = 0
        self._step = gcd(*weights) or 1
        self._top = max(weights, default=0) - (self._step - 1)


@dataclass
class Service:
    """A virtual service: its servers, newest first, and what it remembers of those that were removed."""

    scheduler: Scheduler
    servers: list[Server]
    addresses: dict[str, tuple[Address, int]]
    _removed: dict[str, Server] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, scheduler: type[Scheduler], addresses: dict[str, tuple[Address, int]], flags: frozenset[str] = frozenset()
    ) -> Service:
        """A service without servers; `addresses`: address and port of each server that may be added."""
        servers: list[Server] = []
        return cls(scheduler(servers, flags), servers, addresses)

    def server(self, name: str) -> Server | None:
        return next((server for server in self.servers if server.name == name), None)

    def add(self, name: str, weight: int) -> None:
        server = self._removed.pop(name, None) or Server(name, *self.addresses[name], weight)
        server.weight = server.kept = weight
        server.is_listed = True
        self.servers.insert(0, server)
        self.scheduler.changed()

    def edit(self, name: str, weight: int) -> None:
        server = self._named(name)
        server.weight = weight
        server.kept = weight or server.kept
        self.scheduler.changed()

    def delete(self, name: str) -> None:
        server = self._named(name)
        self.scheduler.leaving(server)
        self.servers.remove(server)
        server.is_listed = False
        self._removed[name] = server
        self.scheduler.changed()

    def choose(self, scheduler: type[Scheduler], flags: frozenset[str] = frozenset()) -> None:
        """`ipvsadm -E`: another scheduler starts from scratch, the same one goes on."""
        if type(self.scheduler) is scheduler:
            self.scheduler.flags = flags
        else:
            self.scheduler = scheduler(self.servers, flags)

    def connect(self, packet: Packet, now: int = 0) -> str | None:
        """The server that a new connection goes to; the connection counts as active."""
        server = self.scheduler.pick(packet, now)
        if server is None:
            return None
        server.active += 1
        return server.name

    def close(self, name: str) -> None:
        """A connection of the server begins to end."""
        server = self._named(name)
        server.active -= 1
        server.inactive += 1

    def _named(self, name: str) -> Server:
        server = self.server(name) or self._removed.get(name)
        assert server is not None
        return server
