# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines below a `period`: who is told, how often and when."""

from __future__ import annotations

import re
from typing import Any

from bpvs.model.mon import After, AlertKind, AlertLine, Period, Repeat, RepeatMode
from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.keywords import Keyword
from bpvs.text.mon.lines import words_of
from bpvs.text.mon.settings import MALFORMED
from bpvs.text.mon.values import exit_range, number, whole_seconds
from bpvs.text.mon.words import split_words

ALERTS = {
    "alert": AlertKind.FAILURE,
    "upalert": AlertKind.UP,
    "startupalert": AlertKind.STARTUP,
    "ackalert": AlertKind.ACK,
    "disablealert": AlertKind.DISABLE,
}
_LABEL = re.compile(r"([A-Za-z_]\w*)\s*:\s*(.*)", re.ASCII)
_EXITS = re.compile(r"exit\s*=\s*(\S*)\s*(.*)", re.ASCII)
_MODES = {mode.value: mode for mode in RepeatMode}
_AFTER_EXAMPLES = "write 3, or 30s, or 3 5m for three failures within five minutes"


def parse_alert(text: str) -> AlertLine:
    """`[exit=A[-B]] script arguments...`; Wrong."""
    prefix = _EXITS.fullmatch(text)
    exits = exit_range(prefix[1]) if prefix else None
    words = split_words(prefix[2] if prefix else text)
    if not words or not words[0]:
        raise Wrong("it names no script", "write the script's name and its arguments")
    return AlertLine(words[0], words[1:], exits)


def _repeat(text: str) -> Repeat:
    time, *more = words_of(text) or [""]
    if more and (len(more) > 1 or more[0].lower() not in _MODES):
        raise Wrong(f"{' '.join(more)!r} is no way to repeat", f"write one of {', '.join(_MODES)}")
    return Repeat(whole_seconds(time), _MODES[more[0].lower()] if more else RepeatMode.SUMMARY)


def _after(text: str) -> After:
    words = words_of(text)
    if not words or len(words) > 2:
        raise Wrong(f"{text!r} is no number of failures and no time", _AFTER_EXAMPLES)
    if len(words) == 2:
        return After(number(words[0]), whole_seconds(words[1]))
    return After(failures=number(text)) if text.isdigit() else After(seconds=whole_seconds(text))


def _ignored(text: str) -> str:
    return f"it takes no value; {text!r} is ignored" if text else ""


PERIOD_KEYWORDS = {
    "alertevery": Keyword(
        "every",
        _repeat,
        "invalid time interval '{quoted}' (syntax: alertevery {{positive number}}{{smhd}}"
        " [ strict | observe_detail | ignore_summary ])",
    ),
    "alertafter": Keyword("after", _after, "invalid interval specification '{text}'"),
    "upalertafter": Keyword(
        "up_after",
        whole_seconds,
        "invalid upalertafter specification '{quoted}' (syntax: upalertafter = {{positive number}}{{smhd}})",
    ),
    "numalerts": Keyword("limit", number, "-numeric arg '{text}' (syntax: numalerts = {{positive integer}}"),
    "no_comp_alerts": Keyword("no_comp_alerts", lambda _: True, odd=_ignored),
    "alerts_dont_count": Keyword("dont_count", lambda _: True, odd=_ignored),
    "alertexitrange": Keyword("exits", exit_range, "invalid exit code range '{text}'"),
}


class PeriodDraft:
    """A period while its lines are read.

    key: the label, else the calendar as written
    """

    def __init__(self, text: str) -> None:
        """Text: what follows the word `period`; Wrong."""
        label = _LABEL.fullmatch(text)
        spec = label[2] if label else text
        self.key = label[1] if label else text
        self._fields: dict[str, Any] = {"calendar": Keyword("", parse_calendar, MALFORMED).value("period", spec)}
        self._alerts: dict[AlertKind, list[AlertLine]] = {}

    def knows(self, word: str) -> bool:
        """Whether it is a keyword of periods."""
        return word in ALERTS or word in PERIOD_KEYWORDS

    def set(self, word: str, text: str, interval: float | None) -> str:
        """Takes a line; returns what is odd about it. `interval` is the service's; Wrong."""
        if word in ALERTS:
            line = Keyword("", parse_alert).value(word, text)
            self._alerts.setdefault(ALERTS[word], []).append(line)
            return ""
        keyword = PERIOD_KEYWORDS[word]
        value = keyword.value(word, text)
        if word == "alertafter":
            _check_after(value, interval)
        self._fields[keyword.field] = value
        return keyword.odd(text)

    def done(self) -> Period:
        """The period that was read."""
        return Period(self.key, lines={kind: tuple(lines) for kind, lines in self._alerts.items()}, **self._fields)


def _check_after(after: After, interval: float | None) -> None:
    """N failures do not fit into a window that ends before the N-th check."""
    if interval is None or after.failures is None or after.seconds is None:
        return
    needed = (after.failures - 1) * interval
    if needed >= after.seconds:
        raise Wrong(
            f"alertafter: {after.failures} failures, one each {interval:g}s, do not fit into {after.seconds}s",
            f"write a time longer than {needed:g}s",
            legacy=" interval & alertafter not sensible. No alerts can be generated with those parameters",
        )
