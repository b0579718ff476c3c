# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of the logs: those of the real mon are read and written again as they were."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.model.mon import AlertKind, Key
from bpvs.text.mon.histories import (
    BadLine,
    Downtime,
    Failure,
    History,
    downtime_header,
    parse_history,
    print_downtime,
    print_failure,
    print_history,
)

GOLDEN = Path(__file__).parents[3] / "golden/mon/state"
KEY = Key("WEB", "http")


@pytest.mark.parametrize("line", (GOLDEN / "history").read_text().splitlines())
def test_the_history_of_mon(line: str) -> None:
    assert print_history(parse_history(line + "\n")) == line


def test_an_alert_of_every_part() -> None:
    entry = History(AlertKind.FAILURE, KEY, 17, "/a/rec.alert", ("mail", "me@x"), "w1 w2")
    assert print_history(entry) == "alert WEB http 17 /a/rec.alert (mail me@x) w1 w2"
    assert parse_history(print_history(entry)) == entry


def test_the_downtime_log_of_mon() -> None:
    text = (GOLDEN / "downtime").read_text()
    header, lines = text[: text.rindex("#\n") + 2], text[text.rindex("#\n") + 2 :].splitlines()
    assert downtime_header(1795378399) == header
    for line in lines:
        ended, group, service, began, seconds, interval, summary = line.split(" ", 6)
        entry = Downtime(Key(group, service), int(ended), int(began), int(seconds), int(interval), summary)
        assert print_downtime(entry) == line


def test_a_summary_never_breaks_a_line() -> None:
    assert print_failure(Failure(KEY, 17, "two\nlines")) == "WEB http 17 two lines"
    assert "\n" not in print_downtime(Downtime(KEY, 2, 1, 1, 5, "two\nlines"))


@pytest.mark.parametrize("line", ["", "alert", "bogus WEB http 1 /a (b) c", "alert WEB http x /a (b) c"])
def test_a_bad_line_is_told_with_what_would_be_right(line: str) -> None:
    with pytest.raises(BadLine, match="right would be `alert GROUP"):
        parse_history(line)


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    with suppress(BadLine):
        parse_history(line)
