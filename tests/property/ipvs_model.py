# SPDX-License-Identifier: GPL-2.0-or-later
"""What IPVS does, written down a second time and as plainly as possible, to be compared with the data path.

Sources: net/netfilter/ipvs/ip_vs_rr.c, ip_vs_wrr.c and ip_vs_proto_tcp.c. Servers are names.
"""

from __future__ import annotations

from math import gcd
from pathlib import Path
from typing import Protocol

GOLDEN = Path(__file__).resolve().parents[1] / "golden/ipvs"


class Scheduler(Protocol):
    """Changes of the list of servers, newest first, and the choice of one."""

    weights: dict[str, int]

    def add(self, name: str, weight: int) -> None: ...
    def edit(self, name: str, weight: int) -> None: ...
    def delete(self, name: str) -> None: ...
    def pick(self) -> str | None: ...


class RoundRobin:
    """The server after the last one, weight 0 left out."""

    def __init__(self, before: Scheduler | None = None) -> None:
        self.weights = dict(before.weights) if before else {}
        self._last: str | None = None

    def add(self, name: str, weight: int) -> None:
        self.weights = {name: weight, **self.weights}

    def edit(self, name: str, weight: int) -> None:
        self.weights[name] = weight

    def delete(self, name: str) -> None:
        order = list(self.weights)
        if self._last == name:
            place = order.index(name)
            self._last = order[place - 1] if place else None
        del self.weights[name]

    def pick(self) -> str | None:
        order = list(self.weights)
        start = order.index(self._last) + 1 if self._last is not None else 0
        for name in order[start:] + order[:start]:
            if self.weights[name] > 0:
                self._last = name
                return name
        return None


class WeightedRoundRobin:
    """Passes over the list with a threshold that falls; a change begins a pass and keeps the threshold if it fits."""

    def __init__(self, before: Scheduler | None = None) -> None:
        self.weights = dict(before.weights) if before else {}
        self._next, self._step, self._top = 0, 1, 0
        self._restart()
        self._threshold = self._top

    def add(self, name: str, weight: int) -> None:
        self.weights = {name: weight, **self.weights}
        self._changed()

    def edit(self, name: str, weight: int) -> None:
        self.weights[name] = weight
        self._changed()

    def delete(self, name: str) -> None:
        del self.weights[name]
        self._changed()

    def pick(self) -> str | None:
        if self._top == 0:
            return None
        while True:
            for name in list(self.weights)[self._next :]:
                self._next += 1
                if self.weights[name] >= self._threshold:
                    return name
            self._next = 0
            self._threshold -= self._step
            if self._threshold <= 0:
                self._threshold = self._top

    def _restart(self) -> None:
        self._next = 0
        self._step = gcd(*self.weights.values()) or 1
        self._top = max(self.weights.values(), default=0) - (self._step - 1)

    def _changed(self) -> None:
        self._restart()
        if self._threshold > self._top or self._threshold == 0:
            self._threshold = self._top
        elif self._step > 1:
            self._threshold = self._threshold // self._step * self._step + 1


SCHEDULERS: dict[str, type[RoundRobin | WeightedRoundRobin]] = {"rr": RoundRobin, "wrr": WeightedRoundRobin}


TCP_STATES = {
    "NO": "NONE",
    "ES": "ESTABLISHED",
    "SS": "SYN_SENT",
    "SR": "SYN_RECV",
    "FW": "FIN_WAIT",
    "TW": "TIME_WAIT",
    "CL": "CLOSE",
    "CW": "CLOSE_WAIT",
    "LA": "LAST_ACK",
    "LI": "LISTEN",
    "SA": "SYNACK",
}
TIMEOUTS = {
    "NONE": 2,
    "ESTABLISHED": 900,
    "SYN_SENT": 120,
    "SYN_RECV": 60,
    "FIN_WAIT": 120,
    "TIME_WAIT": 120,
    "CLOSE": 10,
    "CLOSE_WAIT": 60,
    "LAST_ACK": 30,
    "LISTEN": 120,
    "SYNACK": 120,
}
ACTIVE = {"ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"}
SENDERS = {"c": "client", "s": "server", "a": "alone"}


def _read_table() -> dict[tuple[str, str, str], str]:
    head, *rows = (GOLDEN / "tcp_states.txt").read_text().splitlines()
    columns = [TCP_STATES[short] for short in head.split()[1:]]
    table = {}
    for row in rows:
        sender, event, *cells = row.split()
        for state, cell in zip(columns, cells, strict=True):
            table[sender, event, state] = TCP_STATES[cell]
    return table


TABLE = _read_table()


def event(flags: str) -> str:
    """The event of a segment with these flags (letters as scapy has them)."""
    for letter, name in (("R", "RST"), ("S", "SYN"), ("F", "FIN"), ("A", "ACK")):
        if letter in flags:
            return name
    return "nul"


def next_state(state: str | None, sender: str, flags: str) -> str | None:
    """The state of a connection (None: there is none) after a segment; conn_reuse_mode 1.

    `sender`: "c" or "s", or "a" for the client of DR and TUN as long as no reply was seen.
    """
    opens = sender in "ca" and event(flags) == "SYN"
    if state is None or (opens and state in ("TIME_WAIT", "CLOSE")):
        return TABLE["client", "SYN", "NONE"] if opens else None
    return TABLE[SENDERS[sender], event(flags), state]
