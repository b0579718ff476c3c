# SPDX-License-Identifier: GPL-2.0-or-later
"""Colour where a person looks, plain text in a pipe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Style:
    """How to print to one stream: with ANSI colours or not, with box drawing characters or only ASCII."""

    colour: bool
    unicode: bool

    def paint(self, text: str, *names: str) -> str:
        """`text` in colours (bold, dim, red, green, yellow, blue, cyan); unchanged where there are none."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"


def style_for(stream: TextIO) -> Style:
    """Colour on a terminal unless NO_COLOR is set (no-color.org) or the terminal is dumb."""
    terminal = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(terminal, "utf" in (stream.encoding or "").lower())
