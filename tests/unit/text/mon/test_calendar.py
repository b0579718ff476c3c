# SPDX-License-Identifier: GPL-2.0-or-later
"""Calendars as written: what is read, and the sentence for each mistake."""

from __future__ import annotations

import pytest

from bpvs.model.mon import ALWAYS
from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong


def test_nothing_is_always_and_none_is_never() -> None:
    assert parse_calendar("") == ALWAYS
    assert parse_calendar(" \t").alternatives == ALWAYS.alternatives
    assert parse_calendar(" NONE ").alternatives == ()


@pytest.mark.parametrize(
    ("text", "scale", "values"),
    [
        ("wd {Fri-Mon}", "wd", {6, 7, 1, 2}),
        ("wday{1 3-4}", "wd", {1, 3, 4}),
        ("wd {Mon} wd {Tue}", "wd", {2, 3}),
        ("hr {10pm-1am}", "hr", {22, 23, 0, 1}),
        ("hr {12am 12pm 12noon}", "hr", {0, 12}),
        ("hr {0-23}", "hr", set(range(24))),
        ("yr {3-1}", "yr", {2001, 2002, 2003}),
        ("yr {1999-1998}", "yr", {1998, 1999}),
        ("mo {november-Febr}", "mo", {11, 12, 1, 2}),
        ("md {30 - 2}", "md", {30, 31, 1, 2}),
        ("min {059}", "min", {59}),
        ("sec {}", "sec", set()),
        ("wd {Mon},", "wd", {2}),
    ],
)
def test_values(text: str, scale: str, values: set[int]) -> None:
    calendar = parse_calendar(text)
    assert calendar.alternatives == ({scale: frozenset(values)},)
    assert calendar.text == text


def test_parts_are_alternatives() -> None:
    assert parse_calendar("wd {Mon} hr {9-10}, md {1}").alternatives == (
        {"wd": frozenset({2}), "hr": frozenset({9, 10})},
        {"md": frozenset({1})},
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("always", "'always' is no time of the week"),
        ("wd {Mon}, junk", "'junk' is no time of the week"),
        ("wd {Mon} junk", "'junk' is no time of the week"),
        ("wd {Mon},,hr {1}", "'wd {Mon},,hr {1}' is no time of the week"),
        (",", "',' is no time of the week"),
        ("wd {Mon", "'wd {mon' is no time"),
        ("wd {Mon,Tue}", "'wd {mon' is no time"),
        ("weekday {Mon}", "'weekday' is no scale of time: scales are yr, mo, wk, yd, md, wd, hr, min, sec, year"),
        ("wd {Mon-Tue-Wed}", "'mon-tue-wed' has more than two ends"),
        ("hr {9am-13pm}", "'9am-13pm' is not in 0-23 or 12am-11pm"),
        ("hr {11noon}", "'11noon' is not in"),
        ("hr {24}", "'24' is not in"),
        ("wd {0}", "'0' is not in 1-7 (1 is Sunday) or sun-sat"),
        ("yr {1969}", "'1969' is not in 0-99 or from 1970 on"),
        ("md {1-}", "'1-' is not in 1-31"),
        ("mo {ja}", "'ja' is not in 1-12 or jan-dec"),
        ("sec {60}", "'60' is not in 0-59"),
        ("sec {\u0661}", "is not in 0-59"),
    ],
)
def test_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse_calendar(text)
    assert str(caught.value).startswith(says) or says in str(caught.value)
    assert caught.value.quoted == text
