# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket of `bpvs health`: who is answered, and that nobody can hold the daemon up by it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import Moment
from bpvs.mon.health.client import NotAnswered, NotRunning, Snapshot, ask
from bpvs.mon.health.socket import _Desk, address, serve_health
from bpvs.text.mon.config import parse

PORTS = itertools.count(100_000 + os.getpid() * 100)  # no TCP port, so no daemon of the machine has its name


class Nothing:
    """No scripts."""

    def monitor(self, name: str) -> str | None:
        return None

    def alert(self, name: str) -> str | None:
        return None


class View:
    """What a daemon with so many services would show."""

    def __init__(self, services: int) -> None:
        lines = "hostgroup g{0} 10.0.0.1\nwatch g{0}\nservice s\ninterval 5s\nmonitor x\n"
        config = parse("".join(map(lines.format, range(services))))
        self.engine = Engine(config, Random(1), Moment.now(), known_scripts=Nothing())  # noqa: S311
        self.config_file = Path("/etc/mon/mon.cf")
        self.started = time.time()


def during(view: View, work: Callable[[int], Awaitable[object]]) -> object:
    """What `work` gives while the view is served; it gets the port."""

    async def run() -> object:
        port = next(PORTS)
        async with await serve_health(view, port):
            return await work(port)

    return asyncio.run(run())


def test_a_snapshot_arrives() -> None:
    found = during(View(3), lambda port: asyncio.to_thread(ask, port))
    assert isinstance(found, dict)
    assert [service["group"] for service in found["services"]] == ["g0", "g1", "g2"]
    assert found["daemon"]["pid"] == os.getpid()


def test_without_a_daemon_one_sentence() -> None:
    port = next(PORTS)
    with pytest.raises(NotRunning, match=f"no monitor daemon with port {port} runs in this network namespace"):
        ask(port)


def test_many_services_are_told_in_pieces_between_which_monitors_have_their_turn() -> None:
    view = View(1_000)
    pieces = list(_Desk(view)._pieces())
    assert len(pieces) >= 10
    assert max(piece.count(b'"not_started"') for piece in pieces) <= 100
    found = during(view, lambda port: asyncio.to_thread(ask, port))
    assert isinstance(found, dict)
    assert len(found["services"]) == 1_000


@pytest.mark.parametrize(
    ("request_", "error"),
    [(b"sesame\n", "there is only snapshot"), (b"\n", "there is only snapshot"), (b"x" * 5000, "")],
)
def test_nonsense_ends_the_conversation(request_: bytes, error: str) -> None:
    async def work(port: int) -> bytes:
        reader, writer = await asyncio.open_unix_connection(address(port))
        writer.write(request_)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    said = during(View(1), work)
    assert isinstance(said, bytes)
    assert (json.loads(said)["error"] if said else "") == error


def test_too_many_are_turned_away_and_the_next_is_answered() -> None:
    async def work(port: int) -> tuple[bytes, Snapshot]:
        held = [await asyncio.open_unix_connection(address(port)) for _ in range(16)]
        reader, writer = await asyncio.open_unix_connection(address(port))
        said = await reader.readline()
        writer.close()
        for _, one in held:
            one.close()
            await one.wait_closed()
        return said, await asyncio.to_thread(ask, port)

    found = during(View(1), work)
    assert isinstance(found, tuple)
    assert json.loads(found[0]) == {"error": "too many ask at once"}
    assert len(found[1]["services"]) == 1


@pytest.mark.root
def test_other_users_are_told_nothing() -> None:
    async def work(port: int) -> tuple[str, str]:
        program = f"from bpvs.mon.health.client import ask\ntry: ask({port})\nexcept Exception as error: print(error)"
        words = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", program]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr

    assert during(View(1), work) == ("the monitor daemon says: only root and the user of mon are told\n", "")


@pytest.mark.root
def test_an_unprivileged_stranger_in_the_daemons_place_is_not_believed() -> None:
    port = next(PORTS)
    program = (
        "import os, socket, sys\nserver = socket.socket(socket.AF_UNIX)\n"
        f"server.bind({address(port)!r})\nserver.listen()\nprint('ready', flush=True)\nsys.stdin.read()"
    )
    words = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout
        assert stranger.stdout.readline() == "ready\n"
        asker = ["setpriv", "--reuid=65533", "--clear-groups", sys.executable, "-c"]
        asker += [f"from bpvs.mon.health.client import ask\ntry: ask({port})\nexcept Exception as error: print(error)"]
        said = subprocess.run(asker, capture_output=True, text=True, check=False, timeout=30)
        stranger.communicate()
    assert said.stdout == f"process {stranger.pid} of user 65534 has the monitor daemon's place: ask as root\n"


def test_a_daemon_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpvs.mon.health.client._PATIENCE", 0.2)
    port = next(PORTS)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(address(port))
        mute.listen()
        with pytest.raises(NotAnswered, match="the monitor daemon does not answer: timed out"):
            ask(port)
