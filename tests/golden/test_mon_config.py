# SPDX-License-Identifier: GPL-2.0-or-later
"""Every snippet that mon 1.3.6 was asked to check: the same verdict in the same words, but for what is listed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError

FOLDER = Path(__file__).parent / "mon"
SNIPPETS = FOLDER / "07_config_grammar" / "snippets.txt"
ACCEPTED = "220 test config completed OK, no errors found"
# What stood before the snippets, which the recording leaves out.
HEAD = "#1\n#2\n#3\n#4\n#5\n#6\n#7\nhostgroup G a b\n\n"
SHORT_HEAD = "#1\n#2\n#3\n#4\n#5\n"
# The recording holds the last twelve lines of longer files.
CUT_OFF = {
    "duplicate watch": "watch G\n",
    "second service after period, new watch without blank line": (
        "watch G\nservice s\ninterval 5s\nmonitor ctl.monitor\nperiod wd {Sun-Sat}\n"
    ),
}
# None: BPVS accepts what mon refuses. A text: BPVS refuses, in other words or what mon accepts.
NO_NUMBER = "a word counts as 0 there, which is no limit or no history; here a number is a number"
NO_FILE = "whether a file can be read is for the daemon to find out, which then goes on with a warning"
TIME_UNITS = "every time is written in the same way; there, this one takes whole s, m and h only"
OTHERS: dict[str, tuple[str | None, str]] = {
    "interval '0.0s'": ("'0.0s' is no time at all", "no interval is as short as that"),
    "service level: unack_summary": (None, "the manual of mon has it without a value"),
    "service level: monitor": ("it names no program", "there, the first host's name is run"),
    "period level: alert": ("it names no script", "there, nothing is called when it is time"),
    "period level: alertafter 1d": (None, TIME_UNITS),
    "period level: alertafter 1.5m": (None, TIME_UNITS),
    "period level: alertafter 3 1d": (None, TIME_UNITS),
    "period level: alertafter 30S": (None, TIME_UNITS),
    "period 'wd {Sun-Sat}, bogus'": ("'bogus' is no time", "there, found out on the days that the first part excludes"),
    "global: maxprocs = abc": ("'abc' is no number", NO_NUMBER),
    "global: histlength = x": ("'x' is no number", NO_NUMBER),
    "global: authfile = nofile": (None, NO_FILE),
    "global: userfile = nofile": (None, NO_FILE),
    "bad watch tag": ("'G!x' is no name", "there, the rest of the line is ignored, and G is watched"),
    "hostgroup bad tag": ("'a!b' is no name", "there, a group `a` with a host `!b`"),
    "global: unack_summary = ": ("it wants a value", "mon leaves out the line"),
    "config file missing": (None, "which file to read is for the daemon"),
}


class Snippet(NamedTuple):
    name: str
    text: str
    answer: str


def snippets() -> Iterator[Snippet]:
    for block in SNIPPETS.read_text().split("--- ")[1:]:
        name, *lines = block.splitlines()
        body = "".join(f"{line[5:]}\n" for line in lines if line.startswith("   | "))
        answers = [line.removeprefix("   => ") for line in lines if line.startswith("   => ")]
        head = SHORT_HEAD if name.startswith("global:") else HEAD + CUT_OFF.get(name, "")
        yield Snippet(name, head + body, answers[0])


def error_of(text: str) -> ConfigError | None:
    try:
        parse(text)
    except ConfigError as error:
        return error
    return None


def answer_of(text: str) -> str:
    error = error_of(text)
    return f"cf error: {error.legacy}" if error else ACCEPTED


@pytest.mark.parametrize("snippet", [pytest.param(one, id=one.name) for one in snippets() if one.name not in OTHERS])
def test_the_same_answer(snippet: Snippet) -> None:
    assert answer_of(snippet.text) == snippet.answer


@pytest.mark.parametrize("snippet", [pytest.param(one, id=one.name) for one in snippets() if one.name in OTHERS])
def test_another_answer_for_a_reason(snippet: Snippet) -> None:
    words, _ = OTHERS[snippet.name]
    assert answer_of(snippet.text) != snippet.answer
    error = error_of(snippet.text)
    if words is None:
        assert error is None
    else:
        assert words in str(error)


def test_each_exception_is_one() -> None:
    assert OTHERS.keys() <= {one.name for one in snippets()}
