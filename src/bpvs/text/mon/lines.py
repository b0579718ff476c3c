# SPDX-License-Identifier: GPL-2.0-or-later
"""Logical lines: comments gone, continued lines joined, each with the place where it ends; mon.cf(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bpvs.text.mon.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t\r\f\v"  # not Python's idea of them: the files are bytes
_SYNC_LINE = re.compile(r'#line (\d{1,9})(?: "(.*)")?', re.ASCII)  # what `m4 -s` tells of its sources


class Place(NamedTuple):
    """Where a text stands: the file's name as the user gave it, and the line, from 1; 0 is the whole file."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class Line(NamedTuple):
    """A logical line without blanks around it, and the place of its last physical line."""

    place: Place
    text: str


def text_of(source: bytes | str) -> str:
    """A file's text; bytes that are no UTF-8 survive as surrogates, and go to scripts as they were."""
    return source if isinstance(source, str) else source.decode("utf-8", "surrogateescape")


def words_of(text: str) -> list[str]:
    """The words between blanks."""
    return re.findall(r"\S+", text, re.ASCII)


def logical_lines(source: bytes | str, name: str, notices: list[str]) -> Iterator[Line]:
    """The lines that count, blank ones too (as empty text): a blank line ends a section.

    A comment inside a continued line is skipped and the line goes on. A file that ends within one is a notice.
    """
    pending: list[str] = []
    place = Place(name)
    for place, raw in _physical_lines(text_of(source), name):
        stripped = raw.strip(BLANKS)
        if stripped.startswith("#"):
            continue
        if "\0" in raw:
            raise ConfigError(place, "a NUL byte", "a configuration is text")
        text = raw.lstrip(BLANKS) if pending else raw
        if stripped.endswith("\\"):
            pending.append(text.rstrip(BLANKS)[:-1])
            continue
        yield Line(place, "".join([*pending, text]).strip(BLANKS))
        pending.clear()
    if pending:
        notices.append(f"{place}: the file ends within a continued line, which is taken as it stands")
        yield Line(place, "".join(pending).strip(BLANKS))


def _physical_lines(text: str, name: str) -> Iterator[tuple[Place, str]]:
    number = 0
    for raw in text.removesuffix("\n").split("\n"):
        sync = _SYNC_LINE.fullmatch(raw) if raw.startswith("#line") else None
        if sync:
            name, number = sync[2] or name, int(sync[1]) - 1
            continue
        number += 1
        yield Place(name, number), raw
