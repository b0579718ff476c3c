# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedulers of IPVS that go by load and weight alone.

Sources: net/netfilter/ipvs/ip_vs_lc.c, ip_vs_wlc.c, ip_vs_sed.c, ip_vs_nq.c, ip_vs_fo.c, ip_vs_ovf.c, ip_vs_twos.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from tests.property.scheduler_model import Packet, Scheduler, Server


def least_loaded(servers: Iterable[Server]) -> Server | None:
    """The usable server with the smallest load for its weight, the first of several."""
    usable = [server for server in servers if server.is_usable]
    return min(usable, key=lambda server: Fraction(server.load, server.weight), default=None)


class LeastConnection(Scheduler):
    def pick(self, packet: Packet, now: int) -> Server | None:
        return min((one for one in self.servers if one.is_usable), key=lambda server: server.load, default=None)


class WeightedLeastConnection(Scheduler):
    def pick(self, packet: Packet, now: int) -> Server | None:
        return least_loaded(self.servers)


class ShortestExpectedDelay(Scheduler):
    def pick(self, packet: Packet, now: int) -> Server | None:
        usable = [server for server in self.servers if server.is_usable]
        return min(usable, key=lambda server: Fraction(server.active + 1, server.weight), default=None)


class NeverQueue(ShortestExpectedDelay):
    def pick(self, packet: Packet, now: int) -> Server | None:
        idle = (server for server in self.servers if server.is_usable and server.active == 0)
        return next(idle, None) or super().pick(packet, now)


class Failover(Scheduler):
    def pick(self, packet: Packet, now: int) -> Server | None:
        return max((one for one in self.servers if one.is_usable), key=lambda server: server.weight, default=None)


class Overflow(Scheduler):
    def pick(self, packet: Packet, now: int) -> Server | None:
        free = [server for server in self.servers if server.is_usable and server.active <= server.weight]
        return max(free, key=lambda server: server.weight, default=None)


class PowerOfTwos(Scheduler):
    """Chooses by chance: power_of_twos() tells how likely."""


def power_of_twos(servers: Iterable[Server]) -> dict[str, Fraction]:
    """How likely each server is to be chosen by twos."""
    usable = [server for server in servers if server.is_usable]
    total = sum(server.weight for server in usable) + 1
    # the draws are 0 to the sum of weights, both included: 0 is one more chance of the first
    drawn = {one.name: Fraction(one.weight + (one is usable[0]), total) for one in usable}
    chances = dict.fromkeys(drawn, Fraction(0))
    for first in usable:
        for second in usable:
            is_better = first.load * second.weight > second.load * first.weight
            chances[second.name if is_better else first.name] += drawn[first.name] * drawn[second.name]
    return chances
