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
    downtime_header,
    parse_alert,
    parse_downtime,
    print_alert,
    print_downtime,
    print_failure,
)

GOLDEN = Path(__file__).parents[3] / "golden/mon/state"
KEY = Key("WEB", "http")


@pytest.mark.parametrize("line", (GOLDEN / "history").read_text().splitlines())
def test_the_history_of_mon(line: str) -> None:
    entry = parse_alert(line + "\n")
    written = print_alert(entry.kind, entry.key, entry.epoch, entry.path, entry.arguments, entry.summary)
    assert written == line


def test_an_alert_of_every_part() -> None:
    line = print_alert(AlertKind.FAILURE, KEY, 17, "/a/rec.alert", ("mail", "me@x"), "w1 w2")
    assert line == "alert WEB http 17 /a/rec.alert (mail me@x) w1 w2"
    assert parse_alert(line).arguments == ("mail", "me@x")


def test_the_downtime_log_of_mon() -> None:
    text = (GOLDEN / "downtime").read_text()
    header, lines = text[: text.rindex("#\n") + 2], text[text.rindex("#\n") + 2 :].splitlines()
    assert downtime_header(1795378399) == header
    for line in lines:
        entry = parse_downtime(line)
        assert line == print_downtime(entry.ended, entry.key, entry.began, entry.seconds, entry.interval, entry.summary)
    assert parse_downtime(lines[1]).summary == "w1.example w2.example"


def test_a_summary_never_breaks_a_line() -> None:
    assert print_failure(KEY, 17, "two\nlines") == "WEB http 17 two lines"
    assert "\n" not in print_downtime(2, KEY, 1, 1, 5, "two\nlines")


@pytest.mark.parametrize("line", ["", "alert", "bogus WEB http 1 /a (b) c", "alert WEB http x /a (b) c"])
def test_a_bad_line_is_told_with_what_would_be_right(line: str) -> None:
    with pytest.raises(BadLine, match="right would be `alert GROUP"):
        parse_alert(line)
    with pytest.raises(BadLine, match="right would be `ENDED GROUP"):
        parse_downtime(line)


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    for parse in (parse_alert, parse_downtime):
        with suppress(BadLine):
            parse(line)
