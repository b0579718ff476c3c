# SPDX-License-Identifier: GPL-2.0-or-later
"""The sections of a mon.cf: each takes the lines below the one that opened it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from bpvs.model.mon import Hostgroup, Key
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.keywords import similar
from bpvs.text.mon.lines import words_of
from bpvs.text.mon.period import ALERTS, PERIOD_KEYWORDS
from bpvs.text.mon.service import DEPENDENCIES, SERVICE_KEYWORDS, ServiceDraft
from bpvs.text.mon.settings import SERVICE_DEFAULTS, SETTINGS
from bpvs.text.mon.values import is_tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpvs.text.mon.lines import Line, Place

_ENVIRONMENT = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)", re.ASCII | re.DOTALL)
_KEYWORD = re.compile(r"(\w+)\s*(.*)", re.ASCII | re.DOTALL)
_OF_SERVICES = {"monitor", *DEPENDENCIES, *SERVICE_KEYWORDS}
_OF_PERIODS = {*ALERTS, *PERIOD_KEYWORDS}
SETTING = re.compile(r"(\w+)\s*=\s*(.*)", re.ASCII | re.DOTALL)


class Section(Protocol):
    """What is open while lines are read."""

    keyword: str

    def add(self, line: Line) -> str:
        """Takes a line that is neither blank nor opens another section; returns what is odd about it. Wrong."""


class HostgroupSection:
    """`hostgroup TAG host...` and more hosts below it; a star before a host means that it starts disabled."""

    keyword = "hostgroup"

    def __init__(self, hosts: list[str]) -> None:
        self._words: list[str] = []
        self._extend(hosts)

    def add(self, line: Line) -> str:
        """More hosts."""
        self._extend(words_of(line.text))
        return ""

    def _extend(self, words: list[str]) -> None:
        if "*" in words:
            raise Wrong(
                "the star stands before no host", "write it before the name of a host that is to start disabled"
            )
        self._words += words

    def done(self, name: str) -> Hostgroup:
        """The group that was read."""
        hosts = tuple(word.removeprefix("*") for word in self._words)
        disabled = tuple(word[1:] for word in self._words if word.startswith("*"))
        return Hostgroup(name, hosts, disabled)


class ViewSection:
    """`view TAG member...` and more members below it."""

    keyword = "view"

    def __init__(self, members: list[str]) -> None:
        self.members = members

    def add(self, line: Line) -> str:
        """More members."""
        self.members += words_of(line.text)
        return ""


class AliasSection:
    """`alias TAG` and lines of any text."""

    keyword = "alias"

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: Line) -> str:
        """One more line."""
        self.lines.append(line.text)
        return ""


class WatchSection:
    """`watch TAG` and the services below it.

    defaults: fields of Service that the file has set so far
    places: where services and dependencies are written goes here, as (keyword, group, service)
    """

    keyword = "watch"

    def __init__(self, group: str, defaults: Mapping[str, object], places: dict[tuple[str, ...], Place]) -> None:
        self.group = group
        self.services: dict[str, ServiceDraft] = {}
        self._defaults = defaults
        self._places = places
        self._service: ServiceDraft | None = None

    def add(self, line: Line) -> str:
        """A line of its services or their periods; returns what is odd about it. Wrong."""
        variable = _ENVIRONMENT.fullmatch(line.text)
        if variable:
            return self._set_variable(variable[1], variable[2])
        split = _KEYWORD.fullmatch(line.text)
        if split is None:
            raise self._unknown(line.text)
        word, text = split.groups()
        if word == "service":
            self._open_service(text, line)
            return ""
        if self._service is None:
            legacy = "need to specify service in watch record"
            raise Wrong(f"{word} stands before any service", "write `service NAME` first", legacy=legacy)
        odd = self._service.set(word, text)
        if odd is None:
            raise self._unknown(line.text, word)
        if word in DEPENDENCIES:
            self._places[word, self.group, self._service.key.service] = line.place
        return f"{word}: {odd}" if odd else ""

    def _set_variable(self, name: str, value: str) -> str:
        if self._service is None:
            legacy = "environment variable defined without a service"
            raise Wrong(f"{name}= stands before any service", "write `service NAME` first", legacy=legacy)
        self._service.set_environment(name, value)
        return ""

    def _open_service(self, name: str, line: Line) -> None:
        if not is_tag(name):
            legacy = f"invalid service tag '{name}'"
            raise Wrong(f"service: {name!r} is no name", "use letters, digits, _, . and -", legacy=legacy)
        if name in self.services:
            legacy = f"service {name} already defined for watch group {self.group}"
            raise Wrong(f"watch {self.group} has a service {name} already", "give it another name", legacy=legacy)
        self._places["service", self.group, name] = line.place
        self._service = ServiceDraft(Key(self.group, name), self._defaults)
        self.services[name] = self._service

    def _unknown(self, text: str, word: str = "") -> Wrong:
        return Wrong(
            f"{text!r} is nothing that a watch knows", self._right(text, word), legacy=f"unknown syntax [{text}]"
        )

    def _right(self, text: str, word: str) -> str:
        in_period = self._service is not None and self._service.has_period
        if in_period and word in _OF_SERVICES:
            return f"{word} stands before the first period of its service"
        if not in_period and word in _OF_PERIODS:
            return f"{word} stands below a period"
        setting = SETTING.fullmatch(text)
        if setting and (setting[1] in SETTINGS or setting[1] in SERVICE_DEFAULTS):
            return "a setting of the whole file stands before the first watch or after a blank line"
        return similar(word, _OF_PERIODS if in_period else _OF_SERVICES)
