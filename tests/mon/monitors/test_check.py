# SPDX-License-Identifier: GPL-2.0-or-later
"""What all checks have in common: their end, their number, their names."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bpvs.mon.monitors import tcp
from bpvs.mon.monitors.check import AT_ONCE, check_hosts
from bpvs.mon.monitors.verdict import Stopwatch
from tests.mon.monitors.servers import hang, serving


def test_who_is_cancelled_closes_the_connection() -> None:
    arrived, gone = threading.Event(), threading.Event()

    def serve(connection: socket.socket) -> None:
        arrived.set()
        hang(connection)
        gone.set()

    async def cancelled(port: int) -> bool:
        task = asyncio.create_task(tcp.check(["-p", str(port), "--expect", "x", "-t", "60"], ["127.0.0.1"], {}))
        await asyncio.to_thread(arrived.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(gone.wait, 10)

    with serving(serve) as port:
        assert asyncio.run(cancelled(port))


def test_no_more_hosts_at_once_than_there_may_be() -> None:
    hosts = [str(number) for number in range(3 * AT_ONCE)]
    now = most = 0

    async def probe(host: str, watch: Stopwatch) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return host

    reports = asyncio.run(check_hosts(hosts, 60, probe))
    assert [report.text for report in reports] == hosts
    assert most == AT_ONCE


SILENT_NAME_SERVER = """
import asyncio, socket
from bpvs.mon.monitors import tcp
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
listener = socket.create_server(("127.0.0.1", 8080))
hosts = ["a.example.org", "b.example.org", "localhost"]
reports = asyncio.run(tcp.check(["-p", "8080", "-t", "3"], hosts, {}))
print(*(report.text for report in reports), reports[0].phases[0].name, sep=", ")
"""

# A listener whose backlog is full drops what else comes.
SILENT_ADDRESS = """
import asyncio, socket
from bpvs.mon.monitors import tcp
kept = []
for address, port, backlog in [("127.0.0.2", 1, 0), ("127.0.0.3", 1, 9), ("127.0.0.2", 2, 9), ("127.0.0.3", 2, 0)]:
    listener = socket.create_server((address, port), backlog=backlog)
    kept += [listener] if backlog else [listener, socket.create_connection((address, port))]
for port in "12":
    (report,) = asyncio.run(tcp.check(["-p", port, "-t", "5"], ["both.example.org"], {}))
    print(report.text)
"""


def elsewhere(program: str, **files: str) -> str:
    """What a program prints in namespaces of its own, where these files of /etc hold that."""
    with TemporaryDirectory() as folder:
        mounts = []
        for name, text in files.items():
            Path(folder, name).write_text(text)
            mounts.append(f"mount --bind {folder}/{name} /etc/{name.replace('_', '.')}")
        setup = " && ".join(["ip link set lo up", *mounts, 'exec "$@"'])
        words = ["unshare", "--mount", "--net", "sh", "-c", setup, "sh", sys.executable, "-c", program]
        return subprocess.run(words, capture_output=True, text=True, timeout=100, check=True).stdout


@pytest.mark.root
def test_silent_name_servers_hold_up_no_other_name_and_no_end() -> None:
    began = time.monotonic()
    said = elsewhere(SILENT_NAME_SERVER, resolv_conf="nameserver 127.0.0.1\noptions timeout:30\n")
    assert said == "no answer within 3 s, no answer within 3 s, port 8080 open, resolve\n"
    assert time.monotonic() - began < 25


@pytest.mark.root
def test_a_silent_address_leaves_time_for_the_others() -> None:
    said = elsewhere(SILENT_ADDRESS, hosts="127.0.0.2 both.example.org\n127.0.0.3 both.example.org\n")
    assert said == "port 1 open\nport 2 open\n"
