# SPDX-License-Identifier: GPL-2.0-or-later
"""Work in threads that nobody waits for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from bpvs.mon.threads import in_thread

HANGING = """
import asyncio, time
from bpvs.mon.threads import in_thread
async def main():
    asyncio.get_running_loop().create_task(in_thread(lambda: time.sleep(600)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
asyncio.run(main())
print("over")
"""


def test_a_result_comes_back_from_another_thread() -> None:
    assert asyncio.run(in_thread(threading.get_ident)) != threading.get_ident()


def test_an_error_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_thread(fail))


def test_what_hangs_does_not_keep_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "over\n"


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
