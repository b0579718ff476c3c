# SPDX-License-Identifier: GPL-2.0-or-later
"""Calendars as Perl's Time::Period 1.25 writes them: `wd {Mon-Fri} hr {9am-5pm}, wd {Sat}`; mon.cf(5)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bpvs.model.mon import Calendar
from bpvs.text.mon.errors import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

_EXAMPLE = "write for example wd {Mon-Fri} hr {9am-5pm}"
_PART = re.compile(r"\s*([a-z]+)\s*\{([^{}]*)\}\s*", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("su", "mo", "tu", "we", "th", "fr", "sa")
_CENTURY = 2000  # of years with two digits
_LAST_YEAR = 9999


class _Scale(NamedTuple):
    """The values of a scale run from `first` to `last`; `names` are other ways to write one."""

    first: int
    last: int
    says: str
    value: Callable[[str], int | None]


def _digits(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else None


def _year(text: str) -> int | None:
    value = _digits(text)
    return value + _CENTURY if value is not None and value < 100 else value


def _named(names: tuple[str, ...]) -> Callable[[str], int | None]:
    """Numbers from 1, or names of which the first letters count."""
    length = len(names[0])

    def value(text: str) -> int | None:
        short = text[:length]
        return names.index(short) + 1 if short in names else _digits(text)

    return value


def _hour(text: str) -> int | None:
    """Hours of the day; 0am and 13am count as 0 and 13."""
    parts = re.fullmatch(r"(\d{1,2})(am|pm|noon|)", text, re.ASCII)
    if parts is None or (parts[2] == "noon" and parts[1] != "12"):
        return None
    hour = int(parts[1])
    if parts[2] == "am":
        return hour % 12 if hour == 12 else hour
    return hour + 12 if parts[2] == "pm" and hour != 12 else hour


_SCALES = {
    "yr": _Scale(1970, _LAST_YEAR, "0-99 or from 1970 on", _year),
    "mo": _Scale(1, 12, "1-12 or jan-dec", _named(_MONTHS)),
    "wk": _Scale(1, 6, "1-6", _digits),
    "yd": _Scale(1, 366, "1-366", _digits),
    "md": _Scale(1, 31, "1-31", _digits),
    "wd": _Scale(1, 7, "1-7 (1 is Sunday) or sun-sat", _named(_DAYS)),
    "hr": _Scale(0, 23, "0-23 or 12am-11pm", _hour),
    "min": _Scale(0, 59, "0-59", _digits),
    "sec": _Scale(0, 59, "0-59", _digits),
}
_LONG_NAMES = {
    "year": "yr", "month": "mo", "week": "wk", "yday": "yd", "mday": "md",
    "wday": "wd", "hour": "hr", "minute": "min", "second": "sec",
}  # fmt: skip


@lru_cache(maxsize=256)  # a file has few, each of them many times
def parse_calendar(text: str) -> Calendar:
    """The calendar of a text, all of it checked; Wrong. Empty text is always, `none` never."""
    folded = re.sub(r"\s+", " ", text, flags=re.ASCII).strip(" ").lower()
    if not folded:
        return Calendar(text, ({},))
    if folded == "none":
        return Calendar(text, ())
    parts = folded.rstrip(", ").split(",")
    return Calendar(text, tuple(_alternative(part, text) for part in parts))


def _alternative(part: str, text: str) -> dict[str, frozenset[int]]:
    """One scale written twice allows the values of both."""
    allowed: dict[str, frozenset[int]] = {}
    position = 0
    while position < len(part) or not allowed:
        found = _PART.match(part, position)
        if found is None:
            what = part[position:].strip() or text
            raise Wrong(f"{what!r} is no time of the week, month or year", _EXAMPLE, quoted=text)
        code = _LONG_NAMES.get(found[1], found[1])
        if code not in _SCALES:
            scales = ", ".join([*_SCALES, *_LONG_NAMES])
            raise Wrong(f"{found[1]!r} is no scale of time", f"scales are {scales}", quoted=text)
        allowed[code] = allowed.get(code, frozenset()) | _ranges(_SCALES[code], found[2], text)
        position = found.end()
    return allowed


def _ranges(scale: _Scale, inside: str, text: str) -> frozenset[int]:
    """What stands between the braces; nothing there allows nothing."""
    values: set[int] = set()
    for one in re.sub(r" ?- ?", "-", inside).split():
        first, *more = [_value(scale, end, one, text) for end in one.split("-")]
        if len(more) > 1:
            raise Wrong(f"{one!r} has more than two ends", f"write {scale.says}", quoted=text)
        values.update(_span(scale, first, more[0] if more else first))
    return frozenset(values)


def _value(scale: _Scale, end: str, whole: str, text: str) -> int:
    value = scale.value(end)
    if value is None or not scale.first <= value <= scale.last:
        raise Wrong(f"{whole!r} is not in {scale.says}", _EXAMPLE, quoted=text)
    return value


def _span(scale: _Scale, first: int, last: int) -> set[int]:
    """From first to last, round the end if need be; but years do not come again, so theirs are put in order."""
    if first <= last:
        return set(range(first, last + 1))
    if scale.last == _LAST_YEAR:
        return set(range(last, first + 1))
    return {*range(first, scale.last + 1), *range(scale.first, last + 1)}
