# SPDX-License-Identifier: GPL-2.0-or-later
"""mon.cf: the whole file, from text to values; mon.cf(5) describes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bpvs.model.mon import Config, Hostgroup, Settings
from bpvs.text.mon.doubts import doubts, swallowed
from bpvs.text.mon.errors import ConfigError, Wrong
from bpvs.text.mon.keywords import similar
from bpvs.text.mon.lines import logical_lines, words_of
from bpvs.text.mon.sections import (
    SETTING,
    AliasSection,
    HostgroupSection,
    ViewSection,
    WatchSection,
)
from bpvs.text.mon.settings import SERVICE_DEFAULTS, SETTINGS
from bpvs.text.mon.values import is_tag

if TYPE_CHECKING:
    from bpvs.text.mon.lines import Line, Place
    from bpvs.text.mon.sections import Section

_SECTIONS = {
    "hostgroup": "hostgroup NAME HOST...",
    "watch": "watch NAME",
    "view": "view NAME MEMBER...",
    "alias": "alias NAME",
}
# What mon 1.3.6 takes as one more host, member or line of an open section, unless a blank line ends that.
_SWALLOWED_BY = {"hostgroup": ("watch", "view", "alias"), "alias": ("watch", "view"), "view": ("watch",)}


def parse(text: bytes | str, *, name: str = "mon.cf") -> Config:
    """The configuration of a file's text; ConfigError at the first line that is wrong. `name` is for messages."""
    reader = _Reader()
    for line in logical_lines(text, name, reader.notices):
        try:
            reader.take(line)
        except Wrong as wrong:
            raise ConfigError.at(line.place, wrong) from None
    return reader.done()


class _Reader:
    """What has been read so far, and the section that is open.

    places: where things are written: ("hostgroup", tag), ("service", group, service), ("dtlogfile",), ...
    """

    def __init__(self) -> None:
        self.notices: list[str] = []
        self._places: dict[tuple[str, ...], Place] = {}
        self._section: Section | None = None
        self._swallowed: list[Line] = []  # opened sections for us, but not for mon 1.3.6
        self._settings: dict[str, Any] = {}
        self._defaults: dict[str, object] = {}
        self._hostgroups: dict[str, HostgroupSection] = {}
        self._watches: dict[str, WatchSection] = {}
        self._views: dict[str, ViewSection] = {}
        self._aliases: dict[str, AliasSection] = {}

    def take(self, line: Line) -> None:
        """The next logical line; Wrong."""
        setting = None if isinstance(self._section, WatchSection) else SETTING.fullmatch(line.text)
        if setting:
            self._notice(line, self._set(setting[1], setting[2], line))
        elif not line.text:
            self._section = None
        elif self._opens(line.text):
            self._open(line)
        elif self._section is not None:
            self._notice(line, self._section.add(line))
        else:
            self._stray(line)

    def _notice(self, line: Line, odd: str) -> None:
        if odd:
            self.notices.append(f"{line.place}: {odd}")

    def _set(self, name: str, text: str, line: Line) -> str:
        self._places[(name,)] = line.place
        if name in SETTINGS:
            keyword = SETTINGS[name]
            self._settings[keyword.field] = keyword.value(name, text)
        elif name in SERVICE_DEFAULTS:
            keyword = SERVICE_DEFAULTS[name]
            # A new mapping: services that were read keep the old one.
            self._defaults = {**self._defaults, keyword.field: keyword.value(name, text)}
        else:
            known = [*SETTINGS, *SERVICE_DEFAULTS]
            raise Wrong(f"{name!r} is no setting", similar(name, known), legacy=f"unknown variable '{name}'")
        odd = keyword.odd(text)
        return f"{name}: {odd}" if odd else ""

    def _opens(self, text: str) -> bool:
        """Whether a line begins a section; among free words one may look like that by chance, so it must fit."""
        keyword, *words = words_of(text)
        if keyword not in _SECTIONS or not words:
            return False
        if isinstance(self._section, AliasSection) and not is_tag(words[0]):
            return False
        is_free = self._section is not None and self._section.keyword in _SWALLOWED_BY
        fits = {
            "alias": len(words) == 1,
            "view": len(words) > 1 or not is_free,
            "watch": len(words) == 1 or not isinstance(self._section, AliasSection),
        }
        return fits.get(keyword, True)

    def _open(self, line: Line) -> None:
        keyword, tag, *words = words_of(line.text)
        if not is_tag(tag):
            raise Wrong(f"{keyword}: {tag!r} is no name", "use letters, digits, _, . and -")
        if self._section and keyword in _SWALLOWED_BY.get(self._section.keyword, ()):
            self._swallowed.append(line)
        if keyword == "watch":
            self._section = self._open_watch(tag, words, line)
        else:
            self._section = self._open_other(keyword, tag, words, line)
        self._places[keyword, tag] = line.place

    def _open_other(self, keyword: str, tag: str, words: list[str], line: Line) -> Section:
        if (keyword, tag) in self._places:
            self._notice(line, f"{keyword} {tag} is defined a second time, and this one counts")
        if keyword == "hostgroup":
            self._hostgroups[tag] = hostgroup = HostgroupSection(words)
            return hostgroup
        if keyword == "view":
            self._views[tag] = view = ViewSection(words)
            return view
        self._aliases[tag] = alias = AliasSection()
        return alias

    def _open_watch(self, tag: str, words: list[str], line: Line) -> WatchSection:
        if tag in self._watches and self._watches[tag].services:
            legacy = f"watch '{tag}' already defined"
            raise Wrong(f"there is a watch {tag} already", "put all its services below one watch", legacy=legacy)
        if words:
            self._notice(line, f"what follows watch {tag} is ignored: {' '.join(words)}")
        if tag not in self._hostgroups:
            self._places["early", tag] = line.place
        self._watches[tag] = WatchSection(tag, self._defaults, self._places)
        return self._watches[tag]

    def _stray(self, line: Line) -> None:
        """A line that belongs to no section."""
        word = words_of(line.text)[0]
        if word in _SECTIONS:
            raise Wrong(f"{line.text!r} opens no {word}", f"write {_SECTIONS[word]}")
        if word in SETTINGS or word in SERVICE_DEFAULTS:
            why = f"write {word} = ... if the setting is meant"
        else:
            why = "a blank line before it ended the section that it may belong to"
        self._notice(line, f"{line.text!r} is ignored: {why}")

    def done(self) -> Config:
        """The configuration, with what is odd about it as a whole."""
        groups = {tag: section.done(tag) for tag, section in self._hostgroups.items()}
        for tag in self._watches:
            groups.setdefault(tag, Hostgroup(tag, (tag,)))
        drafts = [draft for watch in self._watches.values() for draft in watch.services.values()]
        config = Config(
            Settings(**self._settings),
            groups,
            {draft.key: draft.done() for draft in drafts},
            {tag: tuple(section.members) for tag, section in self._views.items()},
            {tag: tuple(section.lines) for tag, section in self._aliases.items()},
        )
        notices = (*swallowed(self._swallowed), *self.notices, *doubts(config, self._places))
        return replace(config, notices=notices)
