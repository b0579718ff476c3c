# SPDX-License-Identifier: GPL-2.0-or-later
"""Work in threads: its result, its error, and that one which hangs holds up nobody."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from bpvs.mon.alerts.thread import in_thread

from .conftest import Call


def test_results_and_errors_arrive() -> None:
    async def work() -> int:
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)
        return await in_thread(lambda: 7)

    assert asyncio.run(work()) == 7


def test_many_that_hang_hold_up_no_other() -> None:
    hanging = threading.Event()

    async def work() -> str:
        tasks = [asyncio.create_task(in_thread(hanging.wait)) for _ in range(100)]
        found = await in_thread(lambda: "well")
        for task in tasks:
            task.cancel()
        return found

    assert asyncio.run(work()) == "well"
    hanging.set()


def test_the_end_of_the_process_waits_for_none() -> None:
    program = (
        "import asyncio, time\nfrom bpvs.mon.alerts.thread import in_thread\n"
        "async def main():\n    task = asyncio.create_task(in_thread(lambda: time.sleep(600)))\n"
        "    await asyncio.sleep(0)\n    task.cancel()\nasyncio.run(main())"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_a_pipe_that_nobody_reads_does_not_stop_the_daemon(call: Call, tmp_path: os.PathLike[str]) -> None:
    os.mkfifo(os.path.join(tmp_path, "pipe"))
    with pytest.raises(TimeoutError):
        call("file.alert", "pipe", timeout=0.5)
    assert call("file.alert", "file") == f"written to {tmp_path}/file"
