# SPDX-License-Identifier: GPL-2.0-or-later
"""State on disk: written soon after whatever must not be lost, at leisure after the rest, never by halves."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.saved import saved_of, state_of
from bpvs.mon.taken_out import disable, disabled_of
from bpvs.text.mon.state import parse_disabled, parse_opstatus, print_disabled, print_opstatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from bpvs.model.mon import AlertKind, Key
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Moment
    from bpvs.mon.disk import Disk

    Log = Callable[[str, str], None]

SOON, LATER = 1.0, 5.0  # seconds from a change to its writing
_SHARE = 0.1  # of a processor, at most, goes into making lines
_AT_ONCE = 200  # lines that are made in one turn of the loop


class Store:
    """The files `disabled` and `opstatus` of a directory. Only services that changed are written anew.

    telling: the kind of alerts of a service that are not over
    """

    def __init__(
        self, directory: Path, engine: Engine, disk: Disk, log: Log, telling: Callable[[Key], AlertKind | None]
    ) -> None:
        self.directory = directory
        self._telling = telling
        self._engine = engine
        self._disk = disk
        self._log = log
        self._lines: dict[Key, str] = {}
        self._changed: set[Key] = set()
        self._is_urgent = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._last = -LATER  # when the last writing ended
        self._cost = 0.0  # seconds that it took

    def changed(self, key: Key, *, soon: bool) -> None:
        """Something about this service is not as it was written; `soon`: it must not be lost."""
        self._changed.add(key)
        self._plan(soon=soon)

    def all_changed(self) -> None:
        """Anything may not be as it was written."""
        self._changed.update(self._engine.states)
        self._plan(soon=True)

    def forget(self) -> None:
        """Another configuration."""
        self._lines.clear()
        self.all_changed()

    async def save(self, kinds: Collection[str]) -> None:
        """Write now; BpvsError."""
        try:
            if "disabled" in kinds:
                await self.write_disabled()
            if "opstatus" in kinds:
                self._changed = set(self._engine.states)
                await self._write_opstatus()
        except OSError as error:
            raise BpvsError(f"{self.directory}: state cannot be written: {error.strerror or error}") from error

    def write_disabled(self) -> asyncio.Future[None]:
        """Write what is taken out."""
        text = print_disabled(disabled_of(self._engine))
        return self._disk.replace(self.directory / "disabled", text.encode("utf-8", "surrogateescape"))

    def load(self, kinds: Collection[str], now: Moment) -> None:
        """Take over what was saved. A file that is not there says nothing; BpvsError for one that is no state."""
        disabled = self._read("disabled") if "disabled" in kinds else ""
        opstatus = self._read("opstatus") if "opstatus" in kinds else ""
        gone = parse_disabled(disabled)
        states = [state_of(saved) for saved in parse_opstatus(opstatus)]
        unknown = self._engine.restore(states, now)
        sentences = [f"state of {key}, which is not there any more, is left out" for key in unknown]
        for sentence in [*sentences, *disable(self._engine, gone)]:
            self._log("notice", sentence)
        if states or disabled:
            self._log("info", f"state of {len(states) - len(unknown)} services taken over from {self.directory}")

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._timer:
            self._timer.cancel()
        if self._writing:
            await asyncio.wait([self._writing])
        if self._changed:
            await self._write_quietly()

    def _read(self, name: str) -> str:
        try:
            return (self.directory / name).read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise BpvsError(f"{self.directory / name}: cannot be read: {error.strerror}") from error

    def _plan(self, *, soon: bool) -> None:
        """Write a while after the last time, and not while it is being written."""
        self._is_urgent |= soon
        loop = asyncio.get_running_loop()
        wait = max(SOON if self._is_urgent else LATER, self._cost / _SHARE)
        due = max(loop.time(), self._last + wait)
        if self._writing is not None or (self._timer and self._timer.when() <= due):
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._begin)

    def _begin(self) -> None:
        self._timer, self._is_urgent = None, False
        self._writing = asyncio.create_task(self._write_quietly(), name="state")
        self._writing.add_done_callback(self._end)

    def _end(self, _: asyncio.Task[None]) -> None:
        self._writing = None
        if self._changed:
            self._plan(soon=False)

    async def _write_quietly(self) -> None:
        """The disk's own log says what is wrong."""
        try:
            await self._write_opstatus()
        except OSError:
            self._last = asyncio.get_running_loop().time() + LATER

    async def _write_opstatus(self) -> None:
        changed, self._changed = self._changed, set()
        try:
            self._cost = await self._renew(changed)
            data = "".join(self._lines.get(key, "") for key in self._engine.states).encode("utf-8", "surrogateescape")
            await self._disk.replace(self.directory / "opstatus", data)
        except BaseException:
            self._changed |= changed
            raise
        finally:
            self._last = asyncio.get_running_loop().time()

    async def _renew(self, keys: Iterable[Key]) -> float:
        """Make the lines of these services; returns the processor seconds that it took, others' turns not counted."""
        cost = 0.0
        waiting = list(keys)
        for start in range(0, len(waiting), _AT_ONCE):
            began = time.thread_time()
            for key in waiting[start : start + _AT_ONCE]:
                if key in self._engine.states:
                    self._lines[key] = print_opstatus([saved_of(self._engine.states[key], self._telling(key))])
            cost += time.thread_time() - began
            await asyncio.sleep(0)
        return cost
