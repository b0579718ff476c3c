# SPDX-License-Identifier: GPL-2.0-or-later
"""The client protocol on TCP: framing, limits, and hostile clients that harm nobody."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from bpvs.mon.protocol.listeners import CannotListen, listening_sockets
from bpvs.mon.protocol.server import LONGEST_LINE, MOST_CLIENTS, MOST_OF_ADDRESS, Server, allows
from tests.mon.desk import Desk

STATE = b"scheduler running\n220 list state completed\n"
PATIENCE = 5.0  # seconds in which a good client is answered, whatever the others do


class Hall:
    """A server on a free port of 127.0.0.1, and those who come."""

    def __init__(self, desk: Desk, **settings: Any) -> None:
        self.desk = desk
        self.server = Server(desk, **settings)
        self.port = 0
        self._guests: list[Client] = []

    async def __aenter__(self) -> Self:
        sockets = listening_sockets("127.0.0.1", 0, socket.SOCK_STREAM)
        self.port = sockets[0].getsockname()[1]
        await self.server.start(sockets)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
        for guest in self._guests:
            guest.hang_up()
        await asyncio.sleep(0)

    async def has(self, condition: Callable[[int], bool]) -> None:
        """Wait until the number of those who are connected is right."""
        async with asyncio.timeout(PATIENCE):
            while not condition(len(self.server._clients)):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.005)

    async def guest(self, address: str = "127.0.0.1") -> Client:
        """A connection from an address of 127/8."""
        guest = Client(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0)))
        self._guests.append(guest)
        return guest

    async def wait_of_a_good_guest(self) -> float:
        """How long somebody from elsewhere waits for an answer."""
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE):
            client = await self.guest("127.0.0.99")
            assert b"".join(await client.ask(b"list state\n")) == STATE
        client.hang_up()
        return time.monotonic() - began


class Client:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, line: bytes) -> list[bytes]:
        """The lines of the answer."""
        self.writer.write(line)
        return await self.answer()

    async def answer(self) -> list[bytes]:
        lines: list[bytes] = []
        async with asyncio.timeout(PATIENCE):
            while not (lines and lines[-1][:3].isdigit() and lines[-1][3:4] == b" "):
                line = await self.reader.readline()
                if not line:
                    break
                lines.append(line)
        return lines

    async def end(self, seconds: float = PATIENCE) -> bytes:
        """What comes until the server hangs up."""
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def hang_up(self) -> None:
        self.writer.transport.abort()


def play(desk: Desk, scene: Callable[[Hall], Awaitable[None]], **settings: Any) -> None:
    """A scene with a server of its own."""

    async def run() -> None:
        async with Hall(desk, **settings) as hall:
            await scene(hall)

    asyncio.run(run())


# Framing


def test_there_is_no_greeting_and_quit_ends(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        client.writer.write(b"quit\n")
        assert await client.end() == b"220 quitting\n"

    play(desk, scene)


@pytest.mark.parametrize("line", [b"list state\n", b"list state\r\n", b"LIST state\n"])
def test_lines_end_as_they_like(desk: Desk, line: bytes) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        assert b"".join(await client.ask(line)) == STATE

    play(desk, scene)


def test_a_line_may_come_in_pieces_and_many_at_once(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        for piece in (b"li", b"st ", b"state\nprotid 97", b"45\nlist state\n"):
            client.writer.write(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
        assert b"".join(await client.answer()) == STATE
        assert await client.answer() == [b"220 protocol match\n"]
        assert b"".join(await client.answer()) == STATE

    play(desk, scene)


def test_ten_thousand_commands_at_once(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest("127.0.0.2")
        client.writer.write(b"list state\n" * 10_000 + b"quit\n")
        everything = asyncio.create_task(client.end(60))
        waits = []
        while not everything.done():
            waits.append(await hall.wait_of_a_good_guest())
        assert await everything == STATE * 10_000 + b"220 quitting\n"
        assert waits
        assert max(waits) < PATIENCE

    play(desk, scene)


def test_half_a_connection_is_enough_for_a_whole_line(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        for sent, received in ((b"list state\n", STATE), (b"list state", b"")):
            client = await hall.guest()
            client.writer.write(sent)
            client.writer.write_eof()
            assert await client.end() == received

    play(desk, scene)


def test_bytes_that_are_no_text(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        assert await client.ask(b"\xff\xfe\x00 list\n") == [b"520 invalid command\n"]
        assert await client.ask(b"setview \xff\xfe\n") == [b"504 unknown view \xff\xfe\n"]

    play(desk, scene)


# Limits


def test_silence_ends_a_connection(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        assert b"".join(await client.ask(b"list state\n")) == STATE
        assert await client.end() == b""

    play(desk, scene, timeout=0.2)


def test_a_slow_line_is_silence(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest("127.0.0.2")

        async def drip() -> None:
            with suppress(ConnectionError):
                while True:
                    client.writer.write(b"l")
                    await client.writer.drain()
                    await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        await hall.wait_of_a_good_guest()
        assert await client.end() == b""
        dripping.cancel()

    play(desk, scene, timeout=0.5)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_huge_line_is_an_error_and_the_end(desk: Desk, end: bytes) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest("127.0.0.2")
        client.writer.write(b"x" * (4 * LONGEST_LINE) + end)
        with suppress(ConnectionError):
            await client.writer.drain()
        assert await client.end() in (b"520 line too long: at most 65536 bytes\n", b"")
        await hall.wait_of_a_good_guest()

    play(desk, scene)


def test_the_longest_line_is_taken(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        assert await client.ask(b"x" * (LONGEST_LINE - 1) + b"\n") == [b"520 invalid command\n"]

    play(desk, scene)


def test_a_client_that_never_reads_is_dropped(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            deaf.bind(("127.0.0.2", 0))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", hall.port))
            sending = asyncio.create_task(_send_forever(deaf))
            async with asyncio.timeout(30):
                while not sending.done():  # until the server hangs up
                    await hall.wait_of_a_good_guest()
            assert isinstance(sending.exception(), ConnectionError)
            await hall.has(lambda clients: clients == 0)

    play(desk, scene, timeout=0.5)


async def _send_forever(one: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await loop.sock_sendall(one, b"list opstatus\n" * 1000)


@pytest.mark.parametrize("patterns", [["10.*"], ["127.0.0.[2-9]"], ["27.0.0.1"], []])
def test_an_unwanted_client_is_told_nothing(desk: Desk, patterns: list[str]) -> None:
    async def scene(hall: Hall) -> None:
        client = await hall.guest()
        client.writer.write(b"list state\n")
        assert await client.end() == b""
        assert ("notice", "closing unwanted client 127.0.0.1") in desk.logs

    play(desk, scene, allowed=allows(patterns))


@pytest.mark.parametrize(
    ("patterns", "address", "is_allowed"),
    [
        (None, "192.0.2.1", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127x0x0x1", False),
        (["127.0.0.1"], "127.0.0.10", False),
        ([r"127\.0\.0\.\d+", "10.1.2.3"], "127.0.0.77", True),
        ([r"127\.0\.0\.\d+", "10.1.2.3"], "10.1.2.3", True),
        (["127.0.0.[12]"], "127.0.0.2", True),
        (["127.0.0.(1|2)"], "127.0.0.3", False),
        (["10.[.0-9]*"], "10.20.30.40", True),
        (["::1", "fd00:.*"], "::1", True),
    ],
)
def test_clientallow(patterns: list[str] | None, address: str, is_allowed: bool) -> None:
    assert allows(patterns)(address) is is_allowed


@pytest.fixture
def _many_files() -> None:
    """A thousand connections are two thousand descriptors here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))


@pytest.mark.usefixtures("_many_files")
def test_a_thousand_connections_of_one_address(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        crowd = [await hall.guest("127.0.0.2") for _ in range(1000)]
        assert await hall.wait_of_a_good_guest() < PATIENCE
        await hall.has(lambda clients: clients <= MOST_OF_ADDRESS)
        refused = [client for client in crowd if client.reader.at_eof() or client.reader._buffer]  # type: ignore[attr-defined]
        assert len(refused) >= 1000 - MOST_OF_ADDRESS
        assert await refused[0].end() == b"520 too many clients\n"

    play(desk, scene)


@pytest.mark.usefixtures("_many_files")
def test_when_all_places_are_taken_the_longest_idle_makes_room(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        alice = await hall.guest("127.0.0.1")
        assert await alice.ask(b"login alice x\n") == [b"220 login accepted\n"]
        crowd = [await hall.guest(f"127.0.1.{number // 50 + 1}") for number in range(1000)]
        assert await hall.wait_of_a_good_guest() < PATIENCE
        await hall.has(lambda clients: clients <= MOST_CLIENTS)
        assert b"".join(await alice.ask(b"list state\n")) == STATE  # who is logged in stays
        assert await crowd[0].end() == b""

    play(desk, scene)


def test_guessers_of_passwords_delay_nobody(desk: Desk) -> None:
    async def scene(hall: Hall) -> None:
        async def guess(number: int) -> bytes:
            client = await hall.guest(f"127.0.0.{number % 8 + 2}")
            client.writer.write(b"login alice wrong\n" * 10)
            return await client.end(60)

        guessers = [asyncio.create_task(guess(number)) for number in range(64)]
        await asyncio.sleep(0)
        assert await hall.wait_of_a_good_guest() < PATIENCE
        answers = await asyncio.gather(*guessers)
        assert set(answers) == {b"530 login unsuccessful\n" * 5}

    (desk.folder / "userfile").write_text("alice:$1$saltsalt$TDWUYynpoDGRKYbYWnqt4/\n")
    play(Desk(desk.folder, authtype=["userfile"]), scene)


def test_a_long_listing_lets_others_in(tmp_path: Path) -> None:
    """Ten thousand services are told while a good client is answered at once."""
    services = "".join(f"service s{number}\ninterval 60s\nmonitor m.monitor\n" for number in range(10_000))
    (tmp_path / "mon.cf").write_text(f"watch w\n{services}")
    (tmp_path / "auth.cf").write_text("list: all\n")
    desk = Desk(tmp_path)

    async def scene(hall: Hall) -> None:
        client = await hall.guest("127.0.0.2")
        client.writer.write(b"list opstatus\nquit\n")
        listing = asyncio.create_task(client.end(60))
        waits = []
        while not listing.done():
            waits.append(await hall.wait_of_a_good_guest())
        assert (await listing).count(b"\n") == 10_002
        assert len(waits) > 3

    play(desk, scene)


def test_ipv6_and_ipv4_listen_on_one_port() -> None:
    sockets = listening_sockets(None, 0, socket.SOCK_STREAM)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert sockets[0].family == socket.AF_INET
    finally:
        for one in sockets:
            one.close()


def test_a_port_that_is_taken_is_told() -> None:
    (taken,) = listening_sockets("127.0.0.1", 0, socket.SOCK_STREAM)
    with taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"could not bind TCP port {port} of 127.0.0.1: Address already in use"):
            listening_sockets("127.0.0.1", port, socket.SOCK_STREAM)
