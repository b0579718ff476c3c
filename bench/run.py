#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure BPVS and compare it with its budget: packets, whole commands, memory of a connection, monitoring.

`--quick` (or QUICK=1 in the environment) does everything in small, to see that it works; its figures mean little.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import commands, mon, packets, report  # noqa: E402  known only from here on
from bench.live import Sender  # noqa: E402  because the path to it is known only from here on
from bench.memory import Memory, available, of_maps  # noqa: E402  because the path to it is known only from here on
from bench.packets import Effort, Row  # noqa: E402  because the path to it is known only from here on
from bench.rig import HOOKS, XDP, Rig, objects_missing  # noqa: E402  because the path to it is known only from here on

FULL = {"xdp": Effort(21, 1 << 17, 1 << 13), "tc": Effort(21, 1 << 15, 1 << 13)}
QUICK = {"xdp": Effort(2, 1 << 14, 1 << 12), "tc": Effort(2, 1 << 13, 1 << 12)}
FULL_CONNECTIONS = 1 << 20
QUICK_CONNECTIONS = 1 << 16
LISTING_BUDGET = 5.0  # seconds, for a million connections


def main() -> int:
    """Print all tables; 1 if a row has no figure, 0 otherwise, whether the budget is met or not."""
    quick = _arguments().quick or os.environ.get("QUICK", "") not in ("", "0")
    missing = objects_missing()
    if os.geteuid() != 0:
        print("the benchmarks load BPF programs and make network namespaces: run them as root", file=sys.stderr)
        return 2
    if missing:
        print(f"{missing[0].name} is missing: `make setup` builds it", file=sys.stderr)
        return 2
    print(report.machine(), flush=True)
    memory, listing = _full_table(quick)  # first: the kernel takes its time to give a table's memory back
    rows, sizes = _packets(QUICK if quick else FULL)
    print(f"\n{report.packets(rows, sizes)}\n\n{report.replays(rows)}\n\n{report.memory(memory)}\n", flush=True)
    print(report.commands([*commands.measure(quick), listing]), flush=True)
    print(f"\n{report.monitoring(mon.measure(quick))}")
    return 1 if any(row.fault for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything in small, in about a minute")
    return parser.parse_args()


def _packets(efforts: dict[str, Effort]) -> tuple[list[Row], dict[str, int]]:
    """The rows of both hooks, and the sizes of the connection tables."""
    rows: list[Row] = []
    sizes = {hook: 1 << efforts[hook].connections().bit_length() for hook in HOOKS}
    for hook in HOOKS:
        with Rig(hook, sizes[hook]) as rig:
            rows += packets.measure(rig, Sender(rig), efforts[hook])
    return rows, sizes


def _full_table(quick: bool) -> tuple[Memory, commands.Timing]:
    """What a full table of established connections takes, and how long listing it takes."""
    before = available()
    with Rig(XDP, QUICK_CONNECTIONS if quick else FULL_CONNECTIONS) as rig:
        loaded = available()
        packets.fill(rig, Sender(rig))
        memory = Memory(rig.connections, of_maps(rig.instance), before - loaded, loaded - available())
        name = f"ipvsadm -L -c -n, {rig.connections:,} connections"
        budget = None if quick else LISTING_BUDGET
        return memory, commands.repeat(name, rig.inside, ("ipvsadm", "-L", "-c", "-n"), 2 if quick else 3, budget)


if __name__ == "__main__":
    sys.exit(main())
