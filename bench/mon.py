#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor daemon on one core, the servers that it looks at on another; beside Debian's mon.

`python bench/mon.py [--quick]` prints these figures alone.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench import report  # noqa: E402  known only from here on
from bpvs.lab.network import Network  # noqa: E402  because the path to it is known only from here on
from bpvs.lab.wait import until  # noqa: E402  because the path to it is known only from here on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpvs.lab.host import Host

_REAL = ROOT / "build/mon"
_PORT = 2583
_HERE = Path(__file__).resolve().parent
_CORES = "0", "1"  # the daemon's, the servers'
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a daemon: how many services, every how many seconds, watched for how long once it is at it."""

    services: int
    interval: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What a daemon did in that time; seconds, but for `resident` in KiB.

    late: from when a check was due to when it began; nobody knows of Debian's mon. drift: how far the gap between two
    visits to a server was from the interval, of each visit. cpu: processor time in `lasted`, with monitors that it
    started.
    """

    name: str
    load: Load
    late: tuple[float, ...]
    drift: tuple[float, ...]
    cpu: float
    lasted: float
    resident: int


FULL = (Load(10_000, 5, 30), Load(50, 5, 30))
QUICK = (Load(200, 1, 3), Load(4, 1, 3))


def measure(quick: bool) -> list[Watched]:
    """BPVS's mon, and Debian's if tools/mon_real has unpacked it."""
    ours, others = QUICK if quick else FULL
    found = [_watch("BPVS", ours), _watch("BPVS", others)]
    real = _real(others.interval)
    return [*found, _watch("mon 1.3.6", others, real)] if real else found


def _watch(name: str, load: Load, real: tuple[Sequence[str], dict[str, str]] | None = None) -> Watched:
    with Network() as network, tempfile.TemporaryDirectory() as folder:
        host = network.host("monitoring")
        host.set_sysctl("net.core.somaxconn", 4096)
        web = _start(host, _CORES[1], [sys.executable, str(_HERE / "mon_web.py")], os.environ)
        assert web.stdout
        web.stdout.readline()
        words = _configure(Path(folder), load)
        argv, environment = real or ([sys.executable, str(_HERE / "mon_daemon.py")], os.environ)
        daemon = _start(host, _CORES[0], [*argv, *words], environment)
        try:
            _await_clients(host, daemon)
            time.sleep(2 * load.interval)  # the first checks are spread over one interval
            began, cpu = time.monotonic(), _cpu_seconds(daemon.pid)
            time.sleep(load.seconds)
            ended, spent = time.monotonic(), _cpu_seconds(daemon.pid) - cpu
            resident = _resident(daemon.pid)
        finally:
            out, visits = _end(daemon), json.loads(_end(web))

    def within(told: Iterable[tuple[float, float]]) -> tuple[float, ...]:
        return tuple(value for moment, value in told if began <= moment <= ended)

    drift = tuple(abs(gap - load.interval) for gap in within(visits))
    late = () if real else within(json.loads(out.splitlines()[-1]))
    return Watched(name, load, late, drift, spent, ended - began, resident)


def _start(
    host: Host, core: str, argv: Sequence[str], environment: os._Environ[str] | dict[str, str]
) -> subprocess.Popen[str]:
    words = host.argv(["taskset", "-c", core, *argv])
    own = {**environment, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(words, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> str:
    """What it printed last."""
    process.terminate()
    return process.communicate(timeout=60)[0]


def _configure(folder: Path, load: Load) -> list[str]:
    """Write mon.cf and what it needs; the arguments that name all that."""
    lines = ["authtype = trustlocal", ""]
    for number in range(load.services):
        name = f"group{number}"
        lines += [f"hostgroup {name} 127.{1 + number // 250 // 250}.{number // 250 % 250}.{1 + number % 250}", ""]
        lines += [
            f"watch {name}",
            "    service http",
            f"        interval {load.interval}s",
            "        monitor http.monitor",
        ]
        lines += ["        period wd {Sun-Sat}", "            numalerts 1", ""]
    (folder / "mon.cf").write_text("\n".join(lines))
    (folder / "auth.cf").write_text("")
    for name in ("state", "log", "alert.d"):
        (folder / name).mkdir()
    named = {"c": "mon.cf", "A": "auth.cf", "D": "state", "L": "log", "a": "alert.d", "b": "", "P": "pid"}
    return [word for letter, file in named.items() for word in (f"-{letter}", str(folder / file))]


def _real(interval: int) -> tuple[list[str], dict[str, str]] | None:
    """Debian's mon as tools/mon_real unpacked it: how to start it, and in which environment."""
    if not (_REAL / "packages").exists():
        return None
    modules = [_REAL / "usr/share/perl5", *sorted(_REAL.glob("usr/lib/*/perl5/*"))]
    environment = {**os.environ, "PERL5LIB": os.pathsep.join(map(str, modules))}
    start = ["perl", str(_REAL / "usr/sbin/mon"), "-s", str(_REAL / "usr/lib/mon/mon.d"), "-r", f"{interval}s"]
    return start, environment


def _await_clients(host: Host, daemon: subprocess.Popen[str]) -> None:
    """Return when it listens."""

    def listens() -> bool:
        if daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended with exit code {daemon.returncode}")
        with host.inside(), socket.socket() as client:
            return client.connect_ex(("127.0.0.1", _PORT)) == 0

    until(listens, "a daemon that listens", 60)


def _cpu_seconds(pid: int) -> float:
    """Of the process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS  # utime, stime, cutime, cstime


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def main() -> int:
    """Print the table."""
    quick = "--quick" in sys.argv[1:]
    print(report.machine(), flush=True)
    print(report.monitoring(measure(quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
