# SPDX-License-Identifier: GPL-2.0-or-later
"""Traps over real UDP, and floods of them that stop nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bpvs.model.mon import Key
from bpvs.mon.protocol.listeners import CannotListen, listening_sockets
from bpvs.mon.traps import Traps
from bpvs.text.mon.trap import print_trap
from tests.mon.desk import Desk

DISK = Key("web", "disk")
PATIENCE = 10.0
CONFIG = """\
watch web
  service disk
    period wd {Sun-Sat}
      alert test.alert
"""
AUTH = """\
trap section
127.0.0.1 trapper tpXOGnTcd7hjs
127.0.0.3 * x
127.0.0.4 slow $6$rounds=200000$saltsalt$x
::1 trapper tpXOGnTcd7hjs
"""


def trap(summary: str = "full", **changes: str) -> bytes:
    fields = {"pro": "0.3807", "usr": "trapper", "pas": "trappw", "grp": "web", "svc": "disk", "sta": "1"}
    return print_trap(fields | changes | {"sum": summary})


class Ground:
    """A receiver on a free port, and senders."""

    def __init__(self, desk: Desk, host: str) -> None:
        self.desk = desk
        self.host = host
        self.traps = Traps(desk)
        self.port = 0

    async def open(self) -> None:
        sockets = listening_sockets(self.host, 0, socket.SOCK_DGRAM)
        self.port = sockets[0].getsockname()[1]
        await self.traps.start(sockets)

    def send(self, data: bytes, source: str = "127.0.0.1", times: int = 1) -> None:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for _ in range(times):
                sender.sendto(data, (self.host, self.port))

    @property
    def summary(self) -> str:
        return self.desk.engine.states[DISK].last_summary

    async def has_come(self, summary: str, again: bytes | None = None) -> None:
        """Wait for it; a datagram may be lost in a flood, so it may be sent again."""
        async with asyncio.timeout(PATIENCE):
            while self.summary != summary:
                if again:
                    self.send(again)
                await asyncio.sleep(0.01)

    async def has_said(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(text in line for _, line in self.desk.logs):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)


def play(folder: Path, scene: Callable[[Ground], Awaitable[None]], host: str = "127.0.0.1") -> Desk:
    (folder / "mon.cf").write_text(CONFIG)
    (folder / "auth.cf").write_text(AUTH)
    desk = Desk(folder)

    async def run() -> None:
        ground = Ground(desk, host)
        await ground.open()
        try:
            await scene(ground)
        finally:
            await ground.traps.close()

    asyncio.run(run())
    return desk


def test_a_trap_comes_by_ipv4(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        ground.send(trap("full", dtl="line1\nline2\n", typ="trap", spc="0"))
        await ground.has_come("full")
        await ground.has_said("trap trap 0 from 127.0.0.1 grp=web svc=disk, sta=1")
        ground.send(trap("fine", sta="0"))
        await ground.has_come("fine")

    desk = play(tmp_path, scene)
    assert desk.engine.states[DISK].last_traphost == "127.0.0.1"
    assert desk.engine.states[DISK].op_status == 1
    assert not any("trappw" in line for _, line in desk.logs)


def test_a_trap_comes_by_ipv6(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        ground.send(trap("full"), "::1")
        await ground.has_come("full")

    try:
        play(tmp_path, scene, "::1")
    except CannotListen as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_traps_of_one_sender_stay_in_order(tmp_path: Path) -> None:
    """The first has its password checked in a thread, the others need not."""
    seen: list[str] = []

    async def scene(ground: Ground) -> None:
        for number in range(50):
            ground.send(trap(str(number)))
        await ground.has_come("49")
        seen.extend(entry.summary for entry in ground.desk.engine.failure_history)

    play(tmp_path, scene)
    assert seen == [str(number) for number in range(50)]


def test_a_flood_of_strangers_stops_nothing(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        loop = asyncio.get_running_loop()
        flooding = True

        async def flood() -> None:
            while flooding:
                await asyncio.to_thread(ground.send, trap("flood", usr="*", pas=""), "127.0.0.2", 200)

        flooder = asyncio.create_task(flood())
        try:
            longest = 0.0
            for number in range(20):
                began = loop.time()
                await ground.has_come(f"good {number}", again=trap(f"good {number}"))
                longest = max(longest, loop.time() - began)
            assert longest < PATIENCE
        finally:
            flooding = False
            await flooder

    desk = play(tmp_path, scene)
    refusals = [line for _, line in desk.logs if "127.0.0.2" in line]
    assert 1 <= len(refusals) <= 400  # the log is not flooded either
    assert set(refusals) == {"received trap from unauthorized host: 127.0.0.2"}


def test_guesses_at_a_slow_hash_delay_nobody(tmp_path: Path) -> None:
    """Each costs a thread a tenth of a second; those who are known do not wait for them."""

    async def scene(ground: Ground) -> None:
        ground.send(trap("first"))
        await ground.has_come("first")
        ground.send(trap("guess", usr="slow", pas="guess"), "127.0.0.4", 100)
        await asyncio.sleep(0)
        ground.send(trap("second"))
        await ground.has_come("second", again=trap("second"))
        assert ground.traps._queue.qsize() > 50

    play(tmp_path, scene)


def test_one_source_has_a_rate(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        for _ in range(2000):
            ground.traps.take(trap("flood"), "127.0.0.3")
        ground.traps.take(trap("good"), "127.0.0.1")
        await ground.has_come("good")
        assert 1400 < ground.traps._lost["dropped, because their sender sends too many"] <= 1500
        ground.traps._tell()

    desk = play(tmp_path, scene)
    assert any(line.endswith("were dropped, because their sender sends too many, in 60 s") for _, line in desk.logs)


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        for number in range(3000):
            ground.traps.take(trap("x", usr="nobody"), f"127.1.{number // 250}.{number % 250}")
        assert ground.traps._queue.qsize() == 1000
        assert ground.traps._lost["dropped, because too many wait"] == 2000
        async with asyncio.timeout(PATIENCE):
            await ground.traps._queue.join()

    play(tmp_path, scene)


def test_any_datagram_is_survived(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        for data in (b"", b"\0", b"\xff" * 9000, b"=\n=\n", b"usr='", b"sta=99999999999999999999", b"x" * 60_000):
            ground.send(data)
            ground.send(trap("never", pro="x") + data)
        ground.send(trap("alive"))
        await ground.has_come("alive")

    play(tmp_path, scene)


def test_new_rights_count_at_once(tmp_path: Path) -> None:
    async def scene(ground: Ground) -> None:
        ground.send(trap("one"))
        await ground.has_come("one")
        (tmp_path / "auth.cf").write_text("trap section\n127.0.0.1 other tpXOGnTcd7hjs\n")
        ground.desk.reload_auth()
        ground.send(trap("two"))
        await ground.has_said("received trap from unknown user trapper, host 127.0.0.1")
        ground.send(trap("three", usr="other"))
        await ground.has_come("three")

    play(tmp_path, scene)
