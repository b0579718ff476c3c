# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import re
import sys
import syslog
import threading

import pytest

from bpvs.mon.journal import LEVELS, Journal, choose_sink, facilities, one_line
from bpvs.text.mon.settings import _FACILITIES


class Paper:
    """A sink; `shut` makes it hang until `open` is set."""

    def __init__(self, *, shut: bool = False) -> None:
        self.lines: list[tuple[int, str]] = []
        self.open = threading.Event()
        if not shut:
            self.open.set()

    def __call__(self, number: int, text: str) -> None:
        self.open.wait(30)
        self.lines.append((number, text))


def test_lines_come_in_order_and_all_before_the_end() -> None:
    paper = Paper()
    journal = Journal(paper, is_debug=True)
    for level in LEVELS:
        journal(level, f"about {level}")
    journal.close()
    assert paper.lines == [(number, f"about {level}") for level, number in LEVELS.items()]


def test_debug_lines_are_only_written_if_asked_for() -> None:
    paper = Paper()
    journal = Journal(paper)
    journal("debug", "details")
    journal("info", "news")
    journal.close()
    assert paper.lines == [(6, "news")]


def test_a_sink_that_hangs_keeps_nobody_and_what_was_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpvs.mon.journal._LONGEST_QUEUE", 5)
    paper = Paper(shut=True)
    journal = Journal(paper)
    for number in range(20):
        journal("info", str(number))
    taken = 20 - journal._lost
    paper.open.set()
    while journal._lines:
        threading.Event().wait(0.001)
    journal("info", "again")
    journal.close()
    assert [text for _, text in paper.lines] == [
        *map(str, range(taken)),
        f"{20 - taken} lines of this log were lost: nobody took them",
        "again",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("ä\ud83d", "ä\\xd83d"),
        ("a\nb\x1b[31m\0", "a\\x0ab\\x1b[31m\\x00"),
        ("x" * 9000, "x" * 8192 + "..."),
    ],
)
def test_a_line_is_one_line_that_can_be_printed(text: str, line: str) -> None:
    assert one_line(text) == line


def test_people_read_time_and_level(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)
    choose_sink("daemon", is_daemon=False, environment={})(4, "careful")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} warning careful\n", capsys.readouterr().err)


def test_the_journal_gets_priorities_if_stderr_is_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)
    status = os.fstat(2)
    stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    choose_sink("daemon", is_daemon=False, environment=stream)(4, "careful")
    assert capsys.readouterr().err == "<4>careful\n"


def test_every_facility_of_mon_cf_is_one_of_syslogs() -> None:
    assert set(facilities()) == set(_FACILITIES)
    assert (facilities()["local3"], facilities()["authpriv"]) == (syslog.LOG_LOCAL3, syslog.LOG_AUTHPRIV)
