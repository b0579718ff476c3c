# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
from contextlib import suppress

from bpvs.mon.gate import Gate


class Crowd:
    """Tasks that each hold places until they are told to leave; `inside` are those that were let in."""

    def __init__(self, room: int) -> None:
        self.gate = Gate(room)
        self.inside: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, places: int) -> None:
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._stay(name, places))
        await asyncio.sleep(0)

    async def _stay(self, name: str, places: int) -> None:
        async with self.gate.places(places):
            self.inside.append(name)
            try:
                await self._leave[name].wait()
            finally:
                self.inside.remove(name)

    async def go(self, name: str) -> None:
        self._leave[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)


def test_first_come_first_served_even_if_a_later_one_would_fit() -> None:
    async def scene() -> None:
        crowd = Crowd(3)
        await crowd.come("a", 2)
        await crowd.come("b", 2)
        await crowd.come("c", 1)
        assert crowd.inside == ["a"]
        await crowd.go("a")
        assert crowd.inside == ["b", "c"]

    asyncio.run(scene())


def test_who_wants_more_than_there_is_gets_everything() -> None:
    async def scene() -> None:
        crowd = Crowd(3)
        await crowd.come("a", 1)
        await crowd.come("b", 7)
        assert crowd.inside == ["a"]
        await crowd.go("a")
        assert crowd.inside == ["b"]
        await crowd.come("c", 1)
        assert crowd.inside == ["b"]
        await crowd.go("b")
        assert crowd.inside == ["c"]

    asyncio.run(scene())


def test_who_gives_up_makes_room_for_those_behind() -> None:
    async def scene() -> None:
        crowd = Crowd(3)
        await crowd.come("a", 2)
        await crowd.come("b", 3)
        await crowd.come("c", 1)
        await crowd.give_up("b")
        assert crowd.inside == ["a", "c"]

    asyncio.run(scene())


def test_who_gives_up_in_the_moment_of_admission_takes_nothing_away() -> None:
    async def scene() -> None:
        crowd = Crowd(1)
        async with crowd.gate.places(1):
            await crowd.come("b", 1)
        await crowd.give_up("b")  # admitted, and has not noticed yet
        assert crowd.inside == []
        await crowd.come("c", 1)
        assert crowd.inside == ["c"]
        await crowd.go("c")

    asyncio.run(scene())
