# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines below a `service`, down to its first `period`: what is tested, how and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpvs.model.mon import Key, Service
from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.expression import parse_expression
from bpvs.text.mon.keywords import Keyword
from bpvs.text.mon.lines import BLANKS, words_of
from bpvs.text.mon.period import PeriodDraft, parse_alert
from bpvs.text.mon.settings import BEHAVIOURS, MALFORMED, SERVICE_DEFAULTS, UNACK_SUMMARY
from bpvs.text.mon.values import choice, neither, positive_seconds, yes
from bpvs.text.mon.words import split_words

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPENDENCIES = {
    "depend": "depend",
    "alertdepend": "alert_depend",
    "monitordepend": "monitor_depend",
    "hostdepend": "host_depend",
}


def _time(field: str, legacy: str) -> Keyword:
    return Keyword(
        field,
        positive_seconds,
        f"invalid {legacy} '{{quoted}}' (syntax: {{name}} = {{{{positive number}}}}{{{{smhd}}}})",
    )


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(words_of(text))


def _always_on(text: str) -> str:
    return f"it is on whatever its value, and so with {text!r}" if text else ""


SERVICE_KEYWORDS = {
    "interval": _time("interval", "time interval"),
    "failure_interval": _time("failure_interval", "interval"),
    "randskew": _time("randskew", "randskew time interval"),
    "timeout": _time("timeout", "timeout"),
    "traptimeout": _time("trap_timeout", "traptimeout interval"),
    "trapduration": _time("trap_duration", "trapduration interval"),
    "description": Keyword("description", str),
    "allow_empty_group": Keyword("allow_empty_group", lambda _: True, odd=_always_on),
    "dep_behavior": Keyword(
        "depend_behaviour", choice(BEHAVIOURS), "unknown dependency behavior '{text}' (syntax: dep_behavior = {{m|a}})"
    ),
    "dep_memory": SERVICE_DEFAULTS["dep_memory"],
    "exclude_hosts": Keyword("exclude_hosts", _hosts),
    "exclude_period": Keyword("exclude_period", parse_calendar, MALFORMED),
    "redistribute": Keyword("redistribute", parse_alert),
    "unack_summary": Keyword(
        "unack_summary", lambda text: not text or yes(text), UNACK_SUMMARY, lambda text: neither(text) if text else ""
    ),
}


def _monitor(text: str) -> dict[str, object]:
    """The fields that a `monitor` line fills; Wrong."""
    command = text.removesuffix(";;")
    words = split_words(command.rstrip(BLANKS))
    if not words or not words[0]:
        raise Wrong("it names no program", "write the monitor's name and its arguments")
    return {"monitor": words, "monitor_text": text, "appends_hosts": command == text}


class ServiceDraft:
    """A service while its lines are read."""

    def __init__(self, key: Key, defaults: Mapping[str, object]) -> None:
        """`defaults` are fields of Service that the file set for all services from here on."""
        self.key = key
        self._fields: dict[str, Any] = dict(defaults)
        self._environment: dict[str, str] = {}
        self._periods: dict[str, PeriodDraft] = {}
        self._period: PeriodDraft | None = None

    def set(self, word: str, text: str) -> str | None:
        """Takes a line; returns what is odd about it, None if the word is none that may stand here; Wrong."""
        if word == "period":
            return self._open_period(text)
        if self._period is not None:
            interval: float | None = self._fields.get("interval")
            return self._period.set(word, text, interval) if self._period.knows(word) else None
        if word == "monitor":
            self._fields.update(Keyword("", _monitor).value(word, text))
        elif word in DEPENDENCIES:
            expression = Keyword("", lambda text: parse_expression(text, self.key.group)).value(word, text)
            self._fields[DEPENDENCIES[word]] = expression
        elif word in SERVICE_KEYWORDS:
            keyword = SERVICE_KEYWORDS[word]
            self._fields[keyword.field] = keyword.value(word, text)
            return keyword.odd(text)
        else:
            return None
        return ""

    def set_environment(self, name: str, value: str) -> None:
        """A variable for monitor and alerts."""
        self._environment[name] = value

    @property
    def has_period(self) -> bool:
        """Whether its first `period` has been read."""
        return self._period is not None

    def _open_period(self, text: str) -> str:
        period = PeriodDraft(text)
        if period.key in self._periods:
            raise Wrong(
                f"period: the service has a period {period.key!r} already",
                "give one of them a label, as in `period NIGHT: hr {0-6}`",
                legacy=f"period '{period.key}' already defined"
                f" for watch group {self.key.group} service {self.key.service}",
            )
        self._periods[period.key] = self._period = period
        return ""

    def done(self) -> Service:
        """The service that was read."""
        environment = tuple(self._environment.items())
        periods = tuple(period.done() for period in self._periods.values())
        return Service(self.key, environment=environment, periods=periods, **self._fields)
