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
reports = asyncio.run(tcp.check(["-p", "8080", "-t", "1.5"], hosts, {}))
print(*(report.text for report in reports), reports[0].phases[0].name, sep=", ")
"""


@pytest.mark.root
def test_silent_name_servers_hold_up_no_other_name_and_no_end(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    setup = f'ip link set lo up && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"'
    words = ["unshare", "--mount", "--net", "sh", "-c", setup, "sh", sys.executable, "-c", SILENT_NAME_SERVER]
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "no answer within 1.5 s, no answer within 1.5 s, port 8080 open, resolve\n"
    assert time.monotonic() - began < 25
