# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors are run: real scripts, and built-in ones that these tests bring along."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from bpvs.model import BpvsError
from bpvs.model.mon import Key, Settings
from bpvs.mon.core.values import Outcome, StartMonitor
from bpvs.mon.lookup import Lookup
from bpvs.mon.monitors.registry import MONITORS
from bpvs.mon.monitors.report import HostReport
from bpvs.mon.places import places
from bpvs.mon.runner import Runner

if TYPE_CHECKING:
    from bpvs.mon.monitors.registry import Monitor

WEB = Key("web", "http")


def start(*words: str, hosts: tuple[str, ...] = ("h1",), timeout: float = 30.0, key: Key = WEB) -> StartMonitor:
    return StartMonitor(key, words, hosts, {"MON_GROUP": key.group}, timeout)


class Office:
    """A Runner with a mondir, and what it said."""

    def __init__(self, directory: Path, sockets: int = 100) -> None:
        found = places(Settings(mondir=str(directory)), directory)
        self.runner = Runner(Lookup(found), self._finished, sockets=sockets)
        self.outcomes: dict[Key, list[Outcome]] = {}
        self._told = asyncio.Event()

    def _finished(self, key: Key, outcome: Outcome) -> None:
        self.outcomes.setdefault(key, []).append(outcome)
        self._told.set()

    async def until_told(self, number: int) -> None:
        async with asyncio.timeout(30):
            while sum(map(len, self.outcomes.values())) < number:
                self._told.clear()
                await self._told.wait()

    def outcome(self, effect: StartMonitor) -> Outcome:
        async def work() -> Outcome:
            self.runner.start(effect)
            await self.until_told(1)
            return self.outcomes[effect.key][0]

        return asyncio.run(work())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


async def until(condition: Callable[[], object]) -> None:
    """Returns when it is true."""
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)


def write(directory: Path, name: str, text: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{text}\n")
    (directory / name).chmod(0o755)


class Busy:
    """A built-in monitor that says who is being looked at, and waits till it is told to go on."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.go_on = asyncio.Event()
        self.cancelled = 0

    async def check(
        self, arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]
    ) -> list[HostReport]:
        self.now += len(hosts)
        self.most = max(self.most, self.now)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.now -= len(hosts)
        return [HostReport(host, host != "bad", f"{environment['MON_GROUP']} {arguments}") for host in hosts]


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Busy:
    """`busy.monitor`."""
    monitor = Busy()
    provide(monkeypatch, "busy.monitor", monitor.check)
    return monitor


def provide(monkeypatch: pytest.MonkeyPatch, name: str, check: Monitor) -> None:
    module = ModuleType(f"tests_{name.partition('.')[0]}")
    vars(module)["check"] = check
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(MONITORS, name, module.__name__)


def test_a_script_gets_its_words_and_the_hosts(office: Office, tmp_path: Path) -> None:
    write(tmp_path, "a.monitor", 'echo "$0 $MON_GROUP $*"; exit 4')
    outcome = office.outcome(start("a.monitor", "-p", "80", hosts=("h1", "h2")))
    assert (outcome.status, outcome.output) == (4, f"{tmp_path}/a.monitor web -p 80 h1 h2\n".encode())
    assert outcome.duration > 0


def test_a_built_in_gets_them_too_and_its_reports_become_output(office: Office, busy: Busy) -> None:
    busy.go_on.set()
    outcome = office.outcome(start("busy.monitor", "-p", hosts=("good", "bad")))
    assert (outcome.status, outcome.output) == (1, b"bad\n\nHOST good: web ['-p']\nHOST bad: web ['-p']\n")


def test_a_built_in_that_hangs_is_cancelled(office: Office, busy: Busy) -> None:
    outcome = office.outcome(start("busy.monitor", timeout=0.5))
    assert (outcome.status, outcome.output) == (124, b"timeout: ended after 0.5 s\n")
    assert busy.cancelled == 1


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (BpvsError("-x is no option"), 64, b"odd.monitor: -x is no option\n"),
        (BpvsError("odd.monitor: -x is no option"), 64, b"odd.monitor: -x is no option\n"),
        (ZeroDivisionError("h1"), 70, b"odd.monitor: internal error: ZeroDivisionError\nZeroDivisionError('h1')\n"),
    ],
)
def test_a_built_in_that_raises_is_a_failure(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: bytes
) -> None:
    async def check(*_: object) -> list[HostReport]:
        raise error

    provide(monkeypatch, "odd.monitor", check)
    outcome = office.outcome(start("odd.monitor"))
    assert (outcome.status, outcome.output) == (status, text)


def test_a_name_that_nothing_serves_is_a_failure(office: Office) -> None:
    assert office.outcome(start("gone.monitor")).status == 127


def test_what_was_stopped_reports_nothing_and_may_start_again(office: Office, tmp_path: Path) -> None:
    write(tmp_path, "slow.monitor", "exec sleep 300")
    write(tmp_path, "fast.monitor", "echo fast")

    async def work() -> None:
        office.runner.start(start("slow.monitor"))
        await until(office.runner.pids)
        office.runner.stop(WEB)
        assert office.runner.pids() == {}
        office.runner.start(start("fast.monitor"))
        await office.until_told(1)
        await office.runner.close()

    asyncio.run(work())
    assert [outcome.output for outcome in office.outcomes[WEB]] == [b"fast\n"]


def test_closing_ends_everything(office: Office, busy: Busy, tmp_path: Path) -> None:
    write(tmp_path, "slow.monitor", "exec sleep 300")

    async def work() -> None:
        office.runner.start(start("slow.monitor"))
        office.runner.start(start("busy.monitor", key=Key("web", "other")))
        await until(lambda: office.runner.pids() and busy.now)
        await office.runner.close()

    asyncio.run(work())
    assert (office.outcomes, busy.now) == ({}, 0)


def test_built_ins_beyond_the_room_wait_for_their_turn(tmp_path: Path, busy: Busy) -> None:
    async def work() -> Office:
        office = Office(tmp_path, sockets=5)
        hosts = (2, 2, 2, 9, 1)
        for number, count in enumerate(hosts):
            names = tuple(f"h{one}" for one in range(count))
            office.runner.start(start("busy.monitor", hosts=names, key=Key("g", str(number))))
        await until(lambda: busy.now == 4)
        busy.go_on.set()
        await office.until_told(len(hosts))
        return office

    office = asyncio.run(work())
    assert busy.most == 9  # more hosts than there is room for: it is alone
    assert len(office.outcomes) == 5
