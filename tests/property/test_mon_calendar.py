# SPDX-License-Identifier: GPL-2.0-or-later
"""Calendars: whatever is written, in whatever spelling, a moment is in it when the days and hours say so."""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bpvs.model.mon import Calendar
from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong

MONTHS = [name.lower() for name in calendar.month_name[1:]]
DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
LIMITS = {
    "yr": (1970, 2100),
    "mo": (1, 12),
    "wk": (1, 6),
    "yd": (1, 366),
    "md": (1, 31),
    "wd": (1, 7),
    "hr": (0, 23),
    "min": (0, 59),
    "sec": (0, 59),
}
LONG = dict(zip(LIMITS, ("year", "month", "week", "yday", "mday", "wday", "hour", "minute", "second"), strict=True))


class Part(NamedTuple):
    """`scale {first-last ...}`."""

    scale: str
    ranges: list[tuple[int, int]]


def spellings(scale: str, value: int) -> list[str]:
    if scale == "mo":
        return [str(value), MONTHS[value - 1], MONTHS[value - 1][:3]]
    if scale == "wd":
        return [str(value), DAYS[value - 1], DAYS[value - 1][:2]]
    if scale == "hr":
        return [str(value), f"{value % 12 or 12}{'pm' if value > 11 else 'am'}", *(["12noon"] if value == 12 else [])]
    return [str(value)]


@st.composite
def parts(draw: st.DrawFn) -> tuple[Part, str]:
    """A part, and a way to write it."""
    scale = draw(st.sampled_from(list(LIMITS)))
    value = st.integers(*LIMITS[scale])
    ranges = draw(st.lists(st.tuples(value, value), min_size=0 if draw(st.booleans()) else 1, max_size=3))
    texts = []
    for first, last in ranges:
        begin, end = (draw(st.sampled_from(spellings(scale, one))) for one in (first, last))
        texts.append(begin if first == last else draw(st.sampled_from([f"{begin}-{end}", f"{begin} - {end}"])))
    written = f"{draw(st.sampled_from([scale, LONG[scale]]))}{draw(st.sampled_from(['', ' ']))}{{{'  '.join(texts)}}}"
    return Part(scale, ranges), draw(st.sampled_from([written, written.upper(), written.title()]))


calendars = st.lists(st.lists(parts(), min_size=1, max_size=3), min_size=1, max_size=3)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1))  # noqa: DTZ001 - calendars know local time only


def values(moment: datetime) -> dict[str, int]:
    weeks = calendar.Calendar(firstweekday=6).monthdayscalendar(moment.year, moment.month)
    return {
        "yr": moment.year,
        "mo": moment.month,
        "wk": next(number for number, week in enumerate(weeks, 1) if moment.day in week),
        "yd": moment.timetuple().tm_yday,
        "md": moment.day,
        "wd": moment.isoweekday() % 7 + 1,
        "hr": moment.hour,
        "min": moment.minute,
        "sec": moment.second,
    }


def fits(value: int, scale: str, first: int, last: int) -> bool:
    if first > last and scale != "yr":
        return value >= first or value <= last
    return min(first, last) <= value <= max(first, last)


def is_in(moment: datetime, alternative: list[Part]) -> bool:
    """Parts of one scale add up, parts of several must all fit."""
    now = values(moment)
    return all(
        any(
            fits(now[scale], scale, first, last)
            for part in alternative
            if part.scale == scale
            for first, last in part.ranges
        )
        for scale in {part.scale for part in alternative}
    )


@given(calendars, moments)
def test_a_moment_is_in_it_when_the_days_and_hours_say_so(
    wanted: list[list[tuple[Part, str]]], moment: datetime
) -> None:
    text = ", ".join(" ".join(written for _, written in alternative) for alternative in wanted)
    expected = any(is_in(moment, [part for part, _ in alternative]) for alternative in wanted)
    assert (moment.timetuple() in parse_calendar(text)) is expected


def read(text: str) -> Calendar | Wrong:
    try:
        return parse_calendar(text)
    except Wrong as wrong:
        return wrong


@given(st.text(st.sampled_from("wdhrmonsunapyk0159{}-, "), max_size=25))
def test_a_calendar_or_a_sentence(text: str) -> None:
    found = read(text)
    assert (found.quoted if isinstance(found, Wrong) else found.text) == text
