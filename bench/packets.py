# SPDX-License-Identifier: GPL-2.0-or-later
"""Nanoseconds per packet above the floor, the floor measured beside each figure in the same run."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from bench.frames import ACK, SYN
from bench.live import Burst, Sender, Traffic
from bench.rig import XDP, Rig
from bench.traffic import FLOWS, Load, check_sample, load, new_connections
from bench.ways import COOKIE, NEW, WAYS, Way
from bpvs.model import Family

FILL_PACKETS = 1 << 16
OPENING = (NEW, COOKIE)  # each packet is another client's
TRIES = 3  # a machine that does something else for too long loses frames before they reach a program


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is sent: rounds, packets of a burst on established flows, and of one that opens connections."""

    rounds: int
    packets: int
    opening: int

    def connections(self) -> int:
        """Connections that a run leaves in the director's table, bursts and replays of all ways together."""
        flows = sum(len(way.families) for way in WAYS if not way.synproxy)
        return flows * (FLOWS + 2 * self.rounds * self.opening)


@dataclass(slots=True)
class Row:
    """One line of the table; times in ns per packet, pairs of one round side by side."""

    hook: str
    way: Way
    family: Family
    kind: str
    floors: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)
    replay_floors: list[int] = field(default_factory=list)
    replay_totals: list[int] = field(default_factory=list)
    fault: str = ""

    @property
    def above(self) -> list[int]:
        """Above the floor, round by round."""
        return [total - floor for total, floor in zip(self.totals, self.floors, strict=True)]

    @property
    def above_replayed(self) -> list[int]:
        """The program alone, above a program that reflects."""
        return [total - floor for total, floor in zip(self.replay_totals, self.replay_floors, strict=True)]

    @property
    def budget(self) -> int | None:
        """The most that is allowed, None where nothing was set."""
        return self.way.budgets[self.kind] if self.hook == XDP else None

    @property
    def is_met(self) -> bool:
        """Whether the row has a figure within its budget."""
        return not self.fault and self.budget is not None and median(self.above) <= self.budget


def measure(rig: Rig, sender: Sender, effort: Effort) -> list[Row]:
    """All rows of the rig's hook: first the established flows, then those that fill the table."""
    loads = [load(rig, sender, way, family) for way in WAYS for family in way.families]
    rows = [(Row(rig.hook, one.way, one.family, kind), one) for one in loads for kind in one.way.kinds]
    for opening in (False, True):
        phase = [(row, one) for row, one in rows if (row.kind in OPENING) is opening]
        for number in range(effort.rounds):
            for row, one in phase:
                _round(rig, sender, row, one, effort.opening if opening else effort.packets, number)
    return [row for row, _ in rows]


def fill(rig: Rig, sender: Sender) -> None:
    """Establish connections until the table has no row left."""
    opening, confirming = (new_connections(WAYS[0], Family.IPV4, 8, flags) for flags in (SYN, ACK))
    while missing := rig.connections - rig.instance.runtime.load(0, "conn_high"):
        for traffic in (opening, confirming):
            burst = sender.send(traffic, "test0", min(missing, FILL_PACKETS))
            if burst.counted != burst.sent:
                raise RuntimeError(f"of {burst.sent} packets of new connections the director forwarded {burst.counted}")


def _burst(rig: Rig, sender: Sender, traffic: Traffic, pair: str, packets: int) -> Burst:
    """Sent again where the machine lost frames, not where the director dropped one or counted more than came back."""
    for _ in range(TRIES - 1):
        dropped = rig.dropped()
        burst = sender.send(traffic, pair, packets)
        if burst.arrived == packets or burst.counted > burst.arrived or rig.dropped() != dropped:
            return burst
    return sender.send(traffic, pair, packets)


def _round(rig: Rig, sender: Sender, row: Row, load: Load, packets: int, number: int) -> None:
    """One floor and one figure, in turning order."""
    traffic = load.kinds[row.kind]
    for pair in ("floor0", "test0") if number % 2 else ("test0", "floor0"):
        if pair == "test0" and not traffic.new_flows and not load.way.grows:
            # next hops that went stale: once a second, not a burst
            sender.replay(traffic, f"director_{rig.hook}", FLOWS)
        burst = _burst(rig, sender, traffic, pair, packets)
        if burst.arrived != packets:
            row.fault = f"of {packets} packets {burst.arrived} came back from {pair}"
        elif pair == "test0" and burst.counted != packets:
            row.fault = f"of {packets} packets the director counted {burst.counted}"
        elif pair == "test0":
            row.fault = row.fault or check_sample(rig.sample(), row.kind, load)
        (row.floors if pair == "floor0" else row.totals).append(burst.ns)
    if load.way.grows:
        return
    row.replay_floors.append(sender.replay(traffic, f"reflect_{rig.hook}", packets))
    row.replay_totals.append(sender.replay(traffic, f"director_{rig.hook}", packets))
