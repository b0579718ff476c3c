# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts are carried out by real scripts that write down what reached them."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpvs.model.mon import AlertKind, Key, Settings
from bpvs.mon.alerting import LONGEST_QUEUE, Alerting, queue
from bpvs.mon.core.values import CallAlert
from bpvs.mon.lookup import Lookup
from bpvs.mon.places import places

if TYPE_CHECKING:
    from collections.abc import Callable

    Script = Callable[[str, str], None]

FAILURE, UP = AlertKind.FAILURE, AlertKind.UP
WEB, MAIL = Key("web", "http"), Key("mail", "smtp")


def call(kind: AlertKind, script: str = "a", *own: str, key: Key = WEB, at: int = 0, stdin: bytes = b"") -> CallAlert:
    flags = ("-u",) if kind is UP else ()
    arguments = ("-s", key.service, "-g", key.group, "-h", "h1 h2", "-t", str(at), *flags, *own)
    return CallAlert(key, kind, script, arguments, {"MON_ALERTTYPE": kind.value}, stdin)


class Desk:
    """An Alerting with an alertdir and a log that can be read."""

    def __init__(self, directory: Path, timeout: float = 30.0) -> None:
        self.lines: list[tuple[str, str]] = []
        self.over: list[Key] = []
        found = places(Settings(alertdir=str(directory)), directory)
        self.alerting = Alerting(Lookup(found), self._log, timeout=timeout, over=self.over.append)

    def _log(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def carry_out(self, *calls: CallAlert, patience: float = 30.0) -> None:
        async def work() -> None:
            for one in calls:
                self.alerting.call(one)
            await self.alerting.drain(patience)

        asyncio.run(work())


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Puts a shell script into the alertdir; `$OUT` in it is the file `out`."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nOUT={tmp_path}/out\n{text}\n")
        path.chmod(0o755)

    return write


def said(directory: Path) -> list[str]:
    return (directory / "out").read_text().splitlines()


def test_arguments_environment_and_stdin_reach_the_script(script: Script, tmp_path: Path) -> None:
    script("a", 'echo "$0 $MON_ALERTTYPE $(cat) $6 $9 ${10}" >>$OUT; echo noted')
    desk = Desk(tmp_path)
    desk.carry_out(call(UP, "a", "own", stdin=b"h1 down"))
    assert said(tmp_path) == [f"{tmp_path}/a up h1 down h1 h2 -u own"]
    level, text = desk.lines[0]
    assert (level, text.rpartition(" (")[0]) == ("info", "up alert a for web/http: done: noted")


def test_a_slow_alert_is_not_overtaken_within_its_service(script: Script, tmp_path: Path) -> None:
    script("slow", "echo begin slow >>$OUT; sleep 0.5; echo end slow >>$OUT")
    script("fast", "echo fast >>$OUT")
    Desk(tmp_path).carry_out(call(FAILURE, "slow"), call(UP, "fast"))
    assert said(tmp_path) == ["begin slow", "end slow", "fast"]


def test_a_hung_alert_delays_no_other_service_and_is_ended(script: Script, tmp_path: Path) -> None:
    script("hung", "exec sleep 300")
    script("fast", "echo $4 >>$OUT")
    desk = Desk(tmp_path, timeout=2)
    desk.carry_out(call(FAILURE, "hung"), call(UP, "fast"), call(FAILURE, "fast", key=MAIL))
    assert said(tmp_path) == ["mail", "web"]
    assert next(text for level, text in desk.lines if level == "err").startswith(
        "failure alert hung for web/http: not over in time: timeout: ended after 2 s ("
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo no such server; exit 3", "exit 3: no such server"),
        ("kill -KILL $$", "exit 137: died of SIGKILL (signal 9)"),
    ],
)
def test_a_failed_alert_is_told(script: Script, tmp_path: Path, text: str, told: str) -> None:
    script("a", text)
    desk = Desk(tmp_path)
    desk.carry_out(call(FAILURE))
    level, line = desk.lines[0]
    assert (level, line.rpartition(" (")[0]) == ("err", f"failure alert a for web/http: {told}")


def test_an_alert_that_cannot_be_executed_is_told_and_the_next_goes_on(script: Script, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("#!/no/such/interpreter\n")
    (tmp_path / "bad").chmod(0o755)
    script("good", "echo good >>$OUT")
    desk = Desk(tmp_path)
    desk.carry_out(call(FAILURE, "bad"), call(FAILURE, "good"))
    assert "the interpreter that its first line names is not there" in desk.lines[0][1]
    assert said(tmp_path) == ["good"]


def test_at_the_end_what_takes_too_long_is_ended_and_told(script: Script, tmp_path: Path) -> None:
    script("hung", "exec sleep 300")
    desk = Desk(tmp_path)
    desk.carry_out(call(FAILURE, "hung"), call(UP, "hung"), patience=1)
    assert desk.lines == [("warning", "alerts of 1 services were not over after 1 s and are ended")]


def queued(*calls: CallAlert) -> list[CallAlert]:
    waiting: deque[CallAlert] = deque()
    for one in calls:
        queue(waiting, one)
    return list(waiting)


def test_a_repeated_failure_takes_the_place_of_the_one_that_waits() -> None:
    assert queued(call(FAILURE, at=1), call(FAILURE, at=2), call(FAILURE, at=3)) == [call(FAILURE, at=3)]


def test_failures_before_and_after_an_up_are_two() -> None:
    calls = [call(FAILURE, at=1), call(UP, at=2), call(FAILURE, at=3)]
    assert queued(*calls) == calls


def test_lines_with_other_arguments_are_others() -> None:
    calls = [call(FAILURE, "mail", "alice", at=1), call(FAILURE, "mail", "bob", at=1)]
    later = [call(FAILURE, "mail", "alice", at=2), call(FAILURE, "mail", "bob", at=2)]
    assert queued(*calls, *later) == later


def test_the_same_line_in_two_periods_is_called_twice() -> None:
    calls = [call(FAILURE, at=1), call(FAILURE, at=1)]
    later = [call(FAILURE, at=2), call(FAILURE, at=2)]
    assert queued(*calls) == calls
    assert queued(*calls, *later) == later


def test_ups_are_never_merged() -> None:
    calls = [call(UP, at=1), call(UP, at=2)]
    assert queued(*calls) == calls


def test_a_full_queue_leaves_out_what_comes_again_later() -> None:
    waiting: deque[CallAlert] = deque()
    only = call(AlertKind.ACK, "once")
    left_out = [queue(waiting, only)]
    for at in range(LONGEST_QUEUE):
        left_out += [queue(waiting, call(FAILURE, at=at)), queue(waiting, call(UP, at=at))]
    assert len(waiting) == LONGEST_QUEUE
    assert waiting[0] == only
    assert list(waiting)[-2:] == [call(FAILURE, at=LONGEST_QUEUE - 1), call(UP, at=LONGEST_QUEUE - 1)]
    assert [one for one in left_out if one][:2] == [call(FAILURE, at=0), call(UP, at=0)]
