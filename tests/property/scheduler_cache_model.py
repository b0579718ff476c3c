# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedulers of IPVS that remember where a destination's connections went: lblc, lblcr.

Sources: net/netfilter/ipvs/ip_vs_lblc.c, ip_vs_lblcr.c. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from bpvs.model import Address
from tests.property.scheduler_load_model import least_loaded
from tests.property.scheduler_model import Packet, Scheduler, Server

SOFT_LIMIT = 16384
HARD_LIMIT = SOFT_LIMIT * 3 // 2
DAY = 86400


def is_busy(server: Server, servers: Iterable[Server]) -> bool:
    """More connections than weight, while another server has less than half of its weight."""
    return server.active > server.weight and any(one.active * 2 < one.weight for one in servers)


@dataclass
class Cached:
    """`servers`: the last one added first."""

    used: int
    modified: int
    servers: list[Server] = field(default_factory=list)


class Caching(Scheduler):
    expiration = DAY

    def __init__(self, servers: list[Server], flags: frozenset[str]) -> None:
        super().__init__(servers, flags)
        self.cache: dict[Address, Cached] = {}
        self._runs = 1

    def minute(self, now: int) -> None:
        """The timer of the cache."""
        self._runs += 1
        if self._runs > 30:
            self._runs = 1
            self._forget(now - self.expiration, len(self.cache))
        elif len(self.cache) > SOFT_LIMIT:
            self._forget(now - 360, min((len(self.cache) - SOFT_LIMIT) * 4 // 3, SOFT_LIMIT // 2))

    def remember(self, destination: Address, server: Server, now: int) -> None:
        if destination in self.cache or len(self.cache) < HARD_LIMIT:
            self.cache[destination] = Cached(now, now, [server])

    def _forget(self, before: int, goal: int) -> None:
        idle = [destination for destination, cached in self.cache.items() if cached.used < before]
        for destination in idle[:goal]:
            del self.cache[destination]


class LocalityBased(Caching):
    def pick(self, packet: Packet, now: int) -> Server | None:
        cached = self.cache.get(packet.destination)
        if cached:
            cached.used = now
            server = cached.servers[0]
            if server.is_listed and server.weight > 0 and not is_busy(server, self.servers):
                return server
        chosen = least_loaded(self.servers)
        if chosen:
            self.remember(packet.destination, chosen, now)
        return chosen


class LocalityBasedReplicated(Caching):
    def pick(self, packet: Packet, now: int) -> Server | None:
        cached = self.cache.get(packet.destination)
        if cached is None:
            chosen = least_loaded(self.servers)
            if chosen:
                self.remember(packet.destination, chosen, now)
            return chosen
        cached.used = now
        chosen = least_loaded(server for server in cached.servers if server.is_listed)
        if len(cached.servers) > 1 and now > cached.modified + self.expiration:
            self._shrink(cached, now)
        if chosen and not is_busy(chosen, self.servers):
            return chosen
        chosen = least_loaded(self.servers)
        if chosen and chosen not in cached.servers:
            cached.servers.insert(0, chosen)
            cached.modified = now
        return chosen

    @staticmethod
    def _shrink(cached: Cached, now: int) -> None:
        """Take out one that was removed from the service, else the one with the highest load for its weight.

        IPVS takes a removed one for one like the others, with the load and the weight that it had.
        """
        gone = [server for server in cached.servers if not server.is_listed]
        serving = [server for server in cached.servers if server.weight > 0]
        if gone or serving:
            heaviest = max(serving, key=lambda server: Fraction(server.load, server.weight), default=None)
            cached.servers.remove(gone[0] if gone or heaviest is None else heaviest)
            cached.modified = now
