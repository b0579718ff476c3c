# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs status`: what is loaded, where it is attached, how full it is, and what became of other packets."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from bpvs.cli.style import Style, style_for
from bpvs.director import Director, Overview
from bpvs.model import Counters, Rates

NOT_LOADED = 3  # the exit code that systemctl and init scripts give for "not running"
# What became of packets that were not forwarded, by the beginning of their verdicts' names.
_FATES = (("PASS_", "passed on"), ("ANSWER_", "answered"), ("HOLD_", "held"), ("DROP_", "dropped"))
_ALWAYS_TOLD = ("PASS_", "DROP_")


def main(arguments: list[str]) -> int:
    """Exit code 0 when the data plane is loaded, 3 when it is not."""
    parser = argparse.ArgumentParser(
        prog="bpvs status", description="Tells about this network namespace; changes nothing."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    director = Director()
    overview = director.overview()
    if options.json:
        fields = {"loaded": overview is not None} | (asdict(overview) if overview else {})
        sys.stdout.write(json.dumps(fields, indent=2) + "\n")
    else:
        sys.stdout.write(describe(director, style_for(sys.stdout)))
    return 0 if overview else NOT_LOADED


def describe(director: Director, style: Style) -> str:
    """The overview for a person."""
    overview = director.overview()
    if overview is None:
        return "not loaded: the first `ipvsadm -A` loads it, or `bpvs up`\n"
    interfaces = ", ".join(f"{one.name} ({'+'.join(one.modes)})" for one in overview.interfaces) or "none"
    lines = [
        ("instance", f"{overview.folder}, network namespace {overview.cookie}"),
        ("attached", interfaces),
        ("table", f"{_count(overview.services, 'service')}, {_count(overview.servers, 'real server')}"),
        ("connections", f"{overview.connections} of at most {overview.connections_limit}"),
        *([("tunnels", f"from {', '.join(overview.tunnel_sources)}")] if overview.tunnel_sources else ()),
        ("forwarded", _traffic(overview.counters)),
        ("per second", _traffic(overview.rates)),
        *_packets(overview),
    ]
    width = max(len(subject) for subject, _ in lines)
    return "".join(f"{style.paint(f'{subject:{width}}', 'bold')}  {text}\n" for subject, text in lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _traffic(counts: Counters | Rates) -> str:
    packets = f"{_count(counts.in_packets, 'packet')} ({counts.in_bytes} bytes) in"
    return f"{_count(counts.connections, 'connection')}, {packets}, {counts.out_packets} ({counts.out_bytes}) out"


def _packets(overview: Overview) -> list[tuple[str, str]]:
    """What was not forwarded; fates that never happened are left out."""
    rows = []
    for prefix, subject in _FATES:
        told = {name: count for name, count in overview.verdicts.items() if name.startswith(prefix) and count}
        words = (f"{count} {name.removeprefix(prefix).lower().replace('_', ' ')}" for name, count in told.items())
        if told or prefix in _ALWAYS_TOLD:
            rows.append((subject, ", ".join(words) or "nothing"))
    return rows
