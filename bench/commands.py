# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole processes, from start to exit, in namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bpvs.director import Director
from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import own_tool

SERVERS = 10_000
_VIRTUAL = "10.77.0.100:80"


@dataclass(frozen=True, slots=True)
class Timing:
    """Several runs of one command; seconds from start to exit, and of processor time."""

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    budget: float | None  # seconds

    @property
    def is_met(self) -> bool:
        """Whether the median is within the budget."""
        return self.budget is not None and median(self.wall) <= self.budget


def measure(quick: bool) -> list[Timing]:
    """Listing nothing, loading, and restoring 10,000 real servers."""
    lists, loads, restores = (5, 2, 2) if quick else (21, 7, 5)
    with Network() as network:
        host = network.host("commands")
        host.is_director = True
        listing = ("ipvsadm", "-L", "-n")
        adding = ("ipvsadm", "-A", "-t", _VIRTUAL, "-s", "rr")
        return [
            repeat("ipvsadm -L -n, nothing loaded", host, listing, lists, 0.060),
            _first_loads(host, adding, loads),
            _empty(host, listing, lists),
            _restores(host, restores),
        ]


def repeat(
    name: str, host: Host, command: Sequence[str], times: int, budget: float | None, stdin: bytes = b""
) -> Timing:
    """Run one command several times."""
    runs = [_run(host, command, stdin) for _ in range(times)]
    return _timing(name, runs, budget)


def _first_loads(host: Host, command: Sequence[str], times: int) -> Timing:
    runs = []
    for _ in range(times):
        with host.inside():
            Director().down()
        runs.append(_run(host, command))
    return _timing("ipvsadm -A, loads the data plane", runs, None)


def _empty(host: Host, listing: Sequence[str], times: int) -> Timing:
    _run(host, ("ipvsadm", "--clear"))
    return repeat("ipvsadm -L -n, empty table", host, listing, times, 0.060)


def _restores(host: Host, times: int) -> Timing:
    lines = [f"-A -t {_VIRTUAL} -s rr"]
    lines += [f"-a -t {_VIRTUAL} -r 10.{78 + n // 65536}.{n // 256 % 256}.{n % 256}:8080 -m" for n in range(SERVERS)]
    script = ("\n".join(lines) + "\n").encode()
    runs = []
    for _ in range(times):
        _run(host, ("ipvsadm", "--clear"))
        runs.append(_run(host, ("ipvsadm", "-R"), script))
    with host.inside():
        table = Director().table()
        (service,) = table.services()
        found = len(list(table.servers(service.key)))
    if found != SERVERS:
        raise RuntimeError(f"ipvsadm -R left {found} real servers in the table, {SERVERS} were given")
    return _timing(f"ipvsadm -R, {SERVERS:,} real servers", runs, 1.0)


def _timing(name: str, runs: Sequence[tuple[float, float]], budget: float | None) -> Timing:
    return Timing(name, tuple(wall for wall, _ in runs), tuple(cpu for _, cpu in runs), budget)


def _run(host: Host, command: Sequence[str], stdin: bytes = b"") -> tuple[float, float]:
    """Seconds from start to exit, and of processor time."""
    with tempfile.TemporaryFile() as given, host.inside():
        given.write(stdin)
        given.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen([*own_tool(command[0]), *command[1:]], stdin=given, stdout=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`{' '.join(command)}` gave exit code {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime
