# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that the benchmarks print. Pure but for the facts about the machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.commands import Timing
from bench.memory import BUDGET, PER_CONNECTION, Memory
from bench.packets import Row
from bench.rig import SERVERS
from bench.traffic import FLOWS

if TYPE_CHECKING:
    from bench.mon import Watched

Line = Sequence[str]
LATE_BUDGET = 0.250  # seconds, for all but one of a hundred checks


def machine() -> str:
    """Kernel, processor, clock, date and load."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    clock = _lines("/sys/devices/system/clocksource/clocksource0/current_clocksource")[0]
    date = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return (
        f"kernel {platform.release()}, {os.cpu_count()} x {model}, clock source {clock}\n"
        f"{date}, load average {os.getloadavg()[0]:.2f} (a busy machine makes every figure larger)"
    )


def packets(rows: Sequence[Row], sizes: dict[str, int]) -> str:
    """Cost of a packet, live frames."""
    table = ", ".join(f"{hook.upper()} {size:,}" for hook, size in sizes.items())
    title = (
        f"Nanoseconds per packet, live frames through veth, one core: {FLOWS:,} established flows, {SERVERS} real\n"
        "servers of each way, TCP without data; the floor swaps the MAC addresses and sends the frame back.\n"
        f"Medians of rounds, floor and figure side by side. Connection table: {table}."
    )
    head = (
        "hook",
        "way",
        "family",
        "traffic",
        "floor",
        "above floor",
        "min..max",
        "1st quartile",
        "ratio",
        "budget",
        "",
    )
    return f"{title}\n{_table(head, [_packet_line(row) for row in rows], 4)}"


def monitoring(found: Sequence[Watched]) -> str:
    """The daemons."""
    title = (
        "Monitor daemons: so many servers, an http check of each every 5 s; daemon and servers on a core each.\n"
        "How late a check begins after it was due; how far the gap between two visits to a server is from 5 s;\n"
        "processor time of the daemon and all monitors that it starts; resident memory of the daemon."
    )
    head = (
        *("daemon", "servers", "checks/s", "late p50", "late p99", "worst", "budget", ""),
        *("drift p50", "drift p99", "CPU", "a check", "memory"),
    )
    return f"{title}\n{_table(head, [_watched_line(one) for one in found], 1)}"


def _watched_line(one: Watched) -> Line:
    late, drift = ([_milliseconds(values, share) for share in (0.5, 0.99, 1)] for values in (one.late, one.drift))
    budget = (_milliseconds([LATE_BUDGET], 1), _met(_share(one.late, 0.99) <= LATE_BUDGET)) if one.late else ("", "")
    checks = len(one.drift)
    return (
        *(one.name, f"{one.load.services:,}", f"{checks / one.lasted:,.0f}", *late, *budget, *drift[:2]),
        *(f"{100 * one.cpu / one.lasted:.0f} %", f"{1e6 * one.cpu / max(1, checks):,.0f} us"),
        f"{one.resident / 1024:.0f} MiB",
    )


def _milliseconds(values: Sequence[float], share: float) -> str:
    return f"{1000 * _share(values, share):.1f} ms" if values else ""


def _share(values: Sequence[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def replays(rows: Sequence[Row]) -> str:
    """Cost of the program alone."""
    title = (
        "The same programs and frames without a network (BPF_PROG_TEST_RUN, repeated): above a program that reflects.\n"
        "A cross-check: caches are warmer here and nothing is sent. Packets that grow cannot be repeated so."
    )
    head = ("hook", "way", "family", "traffic", "above floor", "min..max")
    lines = [
        (
            row.hook.upper(),
            row.way.name,
            row.family.name,
            row.kind,
            f"{median(row.above_replayed):.0f}",
            _span(row.above_replayed),
        )
        for row in rows
        if row.replay_totals
    ]
    return f"{title}\n{_table(head, lines, 4)}"


def commands(timings: Sequence[Timing]) -> str:
    """Whole processes."""
    head = ("whole process, ms", "median", "min..max", "cpu", "budget", "")
    lines = [
        (
            timing.name,
            f"{median(timing.wall) * 1000:.1f}",
            f"{min(timing.wall) * 1000:.1f}..{max(timing.wall) * 1000:.1f}",
            f"{median(timing.cpu) * 1000:.1f}",
            "-" if timing.budget is None else f"{timing.budget * 1000:.0f}",
            "" if timing.budget is None else _met(timing.is_met),
        )
        for timing in timings
    ]
    return _table(head, lines, 1)


def memory(found: Memory) -> str:
    """Bytes of a connection."""
    head = (f"memory at {found.connections:,} connections", "bytes each", "MiB", "budget", "")
    lines: list[Line] = [
        (f"map {name}", f"{found.maps[name] / found.connections:.1f}", _mib(found.maps[name]), "", "")
        for name in PER_CONNECTION
    ]
    others = sum(size for name, size in found.maps.items() if name not in PER_CONNECTION)
    lines += [
        (
            "these maps together",
            f"{found.accounted:.1f}",
            _mib(found.accounted * found.connections),
            str(BUDGET),
            _met(found.is_met),
        ),
        ("all other maps, whatever the table's size", "", _mib(others), "", ""),
        ("the machine lost, loading", "", _mib(found.loading), "", ""),
        ("the machine lost, filling the table", "", _mib(found.filling), "", ""),
        ("the machine lost, together (all its processes)", f"{found.lost:.1f}", "", "", ""),
    ]
    return _table(head, lines, 1)


def _packet_line(row: Row) -> Line:
    start = (row.hook.upper(), row.way.name, row.family.name, row.kind)
    if row.fault:
        return (*start, "", "no result", row.fault, "", "", "", "")
    floor, total = median(row.floors), median(row.totals)
    return (
        *start,
        f"{floor:.0f}",
        f"{median(row.above):.0f}",
        _span(row.above),
        f"{quantiles(row.above, method='inclusive')[0]:.0f}",
        f"{total / floor:.2f}",
        "-" if row.budget is None else str(row.budget),
        "" if row.budget is None else _met(row.is_met),
    )


def _table(head: Line, lines: Sequence[Line], left: int) -> str:
    """Columns as wide as they must be; the first `left` of them aligned to the left."""
    rows = [head, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    out = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:left], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)]
        out.append("  ".join(cells).rstrip())
    out.insert(1, "-" * max(map(len, out)))
    return "\n".join(out)


def _span(values: Sequence[int]) -> str:
    return f"{min(values)}..{max(values)}"


def _met(met: bool) -> str:
    return "met" if met else "NOT MET"


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()
