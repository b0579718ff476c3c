# SPDX-License-Identifier: GPL-2.0-or-later
"""Room for so many at once; who finds none waits for his turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """A semaphore whose users need different numbers of places; first come, first served."""

    def __init__(self, room: int) -> None:
        self._room = self._free = room
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def places(self, number: int) -> AsyncIterator[None]:
        """Hold that many places, or all there are if more are wanted."""
        number = min(number, self._room)
        await self._enter(number)
        try:
            yield
        finally:
            self._free += number
            self._admit()

    async def _enter(self, number: int) -> None:
        if not self._waiting and number <= self._free:
            self._free -= number
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((number, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # admitted and cancelled in the same moment
                self._free += number
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting:
            number, turn = self._waiting[0]
            if turn.done():  # cancelled
                self._waiting.popleft()
            elif number <= self._free:
                self._waiting.popleft()
                self._free -= number
                turn.set_result(None)
            else:
                return
