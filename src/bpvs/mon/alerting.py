# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out CallAlert: the alerts of one service one after the other, those of different services side by side."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.model.mon import AlertKind
from bpvs.mon.alerts.registry import find
from bpvs.mon.lookup import BUILTIN
from bpvs.mon.processes import TIMED_OUT, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import CallAlert, Outcome
    from bpvs.mon.lookup import Lookup

    Log = Callable[[str, str], None]

AT_ONCE = 64  # alerts of all services
LONGEST_QUEUE = 100  # calls of one service that wait behind a slow one
OWN_ARGUMENTS = 8  # `-s SERVICE -g GROUP -h HOSTS -t TIME` come before them
_REPEATED = frozenset({AlertKind.FAILURE, AlertKind.TRAP, AlertKind.TRAP_TIMEOUT})
_RESULTS = _REPEATED | {AlertKind.UP}


class Alerting:
    """A queue for each service. An alert that runs is never overtaken by a later one of the same service.

    scripts: who serves a name; timeout: seconds after which an alert is ended. Both may change at any time.
    over: is told each service of which no alert waits or runs any more
    """

    def __init__(self, scripts: Lookup, log: Log, *, timeout: float, over: Callable[[Key], None]) -> None:
        self.scripts = scripts
        self.timeout = timeout
        self._log = log
        self._over = over
        self._running: dict[Key, CallAlert] = {}
        self._waiting: dict[Key, deque[CallAlert]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def call(self, call: CallAlert) -> None:
        """Carry it out when its turn comes."""
        waiting = self._waiting.setdefault(call.key, deque())
        dropped = queue(waiting, call)
        if dropped:
            self._log("warning", f"{_named(dropped)}: left out, too many calls wait behind a slow one")
        if call.key not in self._tasks:
            self._tasks[call.key] = asyncio.create_task(self._work(call.key), name=f"alerts of {call.key}")

    def telling(self, key: Key) -> AlertKind | None:
        """What the last alert that waits or runs tells, if it is a failure or its end."""
        running = self._running.get(key)
        calls = [*([running] if running else []), *self._waiting.get(key, ())]
        return next((call.kind for call in calls[::-1] if call.kind in _RESULTS), None)

    async def drain(self, seconds: float) -> None:
        """Wait until all calls are carried out; those that are not in so many seconds are ended and left out."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            self._log("warning", f"alerts of {len(late)} services were not over after {seconds:g} s and are ended")
            await asyncio.wait(late)

    async def _work(self, key: Key) -> None:
        waiting = self._waiting[key]
        try:
            while waiting:
                async with self._at_once:
                    self._running[key] = waiting.popleft()
                    await self._carry_out(self._running[key])
        finally:
            del self._tasks[key], self._waiting[key]
            self._running.pop(key, None)
            self._over(key)

    async def _carry_out(self, call: CallAlert) -> None:
        program = self.scripts.alert(call.script)
        began = time.monotonic()
        if program is None:
            level, text = "err", "no such alert"
        elif program.startswith(BUILTIN):
            level, text = await self._call_built_in(call)
        else:
            words = [program, *call.arguments]
            level, text = _told(await run(words, call.environment, self.timeout, call.stdin))
        self._log(level, f"{_named(call)}: {text} ({time.monotonic() - began:.3f} s)")

    async def _call_built_in(self, call: CallAlert) -> tuple[str, str]:
        """Level and text for the log, whatever happens in it."""
        try:
            async with asyncio.timeout(self.timeout):
                alert = find(call.script)
                assert alert is not None  # it was found by its name in the registry
                return "info", await alert(call)
        except TimeoutError:
            return "err", f"not over after {self.timeout:g} s"
        except BpvsError as error:
            return "err", str(error)
        except Exception as error:  # noqa: BLE001 - a mistake in one alert must not end the daemon
            return "err", f"internal error: {error!r}"


def queue(waiting: deque[CallAlert], call: CallAlert) -> CallAlert | None:
    """Put a call last, or in the place of the same one if that still waits to tell of an outage; what was left out.

    A failure that repeats takes the place of its predecessor, unless the script is to hear something else (an up)
    between them. Two periods with the same line both tell of the same failure. In a queue that is full the oldest call
    is left out after which the same comes again.
    """
    if call.kind in _REPEATED:
        for place in range(len(waiting) - 1, -1, -1):
            earlier = waiting[place]
            if _line(earlier) == _line(call) and earlier.arguments != call.arguments:
                waiting[place] = call
                return None
            if earlier.script == call.script and earlier.kind is not call.kind:
                break
    waiting.append(call)
    return _left_out(waiting) if len(waiting) > LONGEST_QUEUE else None


def _left_out(waiting: deque[CallAlert]) -> CallAlert | None:
    """The oldest call after which a later one of the same line waits; every line's last one stays."""
    last = {_line(call): place for place, call in enumerate(waiting)}
    for place, call in enumerate(waiting):
        if last[_line(call)] != place:
            del waiting[place]
            return call
    return None


def _line(call: CallAlert) -> tuple[AlertKind, str, tuple[str, ...]]:
    """The line of the configuration that it comes from."""
    return call.kind, call.script, call.arguments[OWN_ARGUMENTS:]


def _named(call: CallAlert) -> str:
    return f"{call.kind.value} alert {call.script} for {call.key.group}/{call.key.service}"


def _told(outcome: Outcome) -> tuple[str, str]:
    """Level and text for the log: the exit code, and the first line that it printed."""
    said = outcome.output.decode(errors="replace").strip().partition("\n")[0]
    if outcome.status == 0:
        return "info", f"done: {said}" if said else "done"
    verdict = "not over in time" if outcome.status == TIMED_OUT else f"exit {outcome.status}"
    return "err", f"{verdict}: {said}" if said else verdict
