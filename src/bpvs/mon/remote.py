# SPDX-License-Identifier: GPL-2.0-or-later
"""The program of `monremote`: it is told what clients disable, enable and test, one call after the other."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from bpvs.mon.processes import NotStarted, Process
from bpvs.text.mon.words import split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST_CALL = 60.0  # seconds
_MOST_WAITING = 1000


class Remote:
    """Calls `command` (a program and its own arguments) with the words behind them; no shell sees any of it.

    log(level, text) learns of calls that failed.
    """

    def __init__(self, command: str, log: Callable[[str, str], None]) -> None:
        self._command = split_words(command)
        self._log = log
        self._calls: asyncio.Queue[Sequence[str]] = asyncio.Queue(_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def tell(self, words: Sequence[str]) -> None:
        """Call soon, in order."""
        try:
            self._calls.put_nowait(words)
        except asyncio.QueueFull:
            self._log("err", f"monremote: {_MOST_WAITING} calls are waiting, this one is left out: {' '.join(words)}")
            return
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def finish(self) -> None:
        """Wait until every call has been carried out."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while not self._calls.empty():
            await self._call(self._calls.get_nowait())

    async def _call(self, words: Sequence[str]) -> None:
        shown = " ".join((*self._command, *words))
        try:
            program = shutil.which(self._command[0]) or self._command[0]
            outcome = await Process.start([program, *self._command[1:], *words], {}).outcome(_LONGEST_CALL)
        except NotStarted as error:
            self._log("err", f"monremote: {error}")
            return
        if outcome.status:
            self._log("err", f"monremote: {shown}: exit status {outcome.status}")
