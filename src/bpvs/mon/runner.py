# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out StartMonitor and StopMonitor: a built-in monitor as a task, any other as a process."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.core.values import Outcome
from bpvs.mon.gate import Gate
from bpvs.mon.lookup import BUILTIN
from bpvs.mon.monitors.registry import find
from bpvs.mon.monitors.report import output_of, status_of
from bpvs.mon.processes import NOT_STARTED, TIMED_OUT, NotStarted, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import StartMonitor
    from bpvs.mon.lookup import Lookup

    Finished = Callable[[Key, Outcome], None]


class Runner:
    """Runs monitors and tells `finished` how each ended, once, but for those that were stopped.

    scripts: who serves a name; another one may be put here at any time
    sockets: how many hosts built-in monitors may be looking at together; more of them wait
    """

    def __init__(self, scripts: Lookup, finished: Finished, *, sockets: int) -> None:
        self.scripts = scripts
        self._finished = finished
        self._gate = Gate(sockets)
        self._start_turn = asyncio.Lock()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._processes: dict[Key, Process] = {}

    def start(self, effect: StartMonitor) -> None:
        """Begin; what goes wrong is an outcome."""
        task = asyncio.create_task(self._run(effect), name=f"monitor {effect.key}")
        self._tasks[effect.key] = task

    def stop(self, key: Key) -> None:
        """End that run, and report nothing."""
        task = self._tasks.pop(key, None)
        if task:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()

    def pids(self) -> dict[Key, int]:
        """The processes that are running now."""
        return {key: process.pid for key, process in self._processes.items() if key in self._tasks}

    async def close(self) -> None:
        """End all; returns when nothing is left."""
        for key in list(self._tasks):
            self.stop(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _run(self, effect: StartMonitor) -> None:
        name, *arguments = effect.words
        program = self.scripts.monitor(name)
        if program is None:
            outcome = Outcome(NOT_STARTED, f"{name}: no such monitor\n".encode())
        elif program.startswith(BUILTIN):
            outcome = await self._run_built_in(name, arguments, effect)
        else:
            outcome = await self._run_process([program, *arguments, *effect.hosts], effect)
        del self._tasks[effect.key]
        self._finished(effect.key, outcome)

    async def _run_process(self, words: Sequence[str], effect: StartMonitor) -> Outcome:
        await self._start_turn.acquire()
        # Many that are due together start one in each turn of the loop, and leave the turns to others too.
        asyncio.get_running_loop().call_soon(self._start_turn.release)
        try:
            process = Process.start(words, effect.environment)
        except NotStarted as error:
            return Outcome(NOT_STARTED, f"{error}\n".encode())
        self._processes[effect.key] = process
        try:
            return await process.outcome(effect.timeout)
        finally:
            if self._processes[effect.key] is process:
                del self._processes[effect.key]

    async def _run_built_in(self, name: str, arguments: Sequence[str], effect: StartMonitor) -> Outcome:
        async with self._gate.places(max(1, len(effect.hosts))):
            began = time.monotonic()
            status, output = await _checked(name, arguments, effect)
            return Outcome(status, output, time.monotonic() - began)


async def _checked(name: str, arguments: Sequence[str], effect: StartMonitor) -> tuple[int, bytes]:
    """Status and output of a built-in monitor, whatever happens in it."""
    try:
        async with asyncio.timeout(effect.timeout):
            check = find(name)
            assert check is not None  # it was found by its name in the registry
            reports = await check(arguments, effect.hosts, effect.environment)
        return status_of(reports), output_of(reports)
    except TimeoutError:
        return TIMED_OUT, f"timeout: ended after {effect.timeout:g} s\n".encode()
    except BpvsError as error:
        sentence = str(error)  # of arguments, it may name the monitor already
        return os.EX_USAGE, f"{sentence if sentence.startswith(f'{name}: ') else f'{name}: {sentence}'}\n".encode()
    except Exception as error:  # noqa: BLE001 - a mistake in one monitor must not end the daemon
        # The first line names no host that the error may be about: a monitor that is wrong says nothing of servers.
        return os.EX_SOFTWARE, f"{name}: internal error: {type(error).__name__}\n{error!r}\n".encode()
