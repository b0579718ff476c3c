# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of values in a mon.cf: times, numbers, names, yes and no, paths; each refusal is a `Wrong`."""

from __future__ import annotations

import math
import os.path
import re
from typing import TYPE_CHECKING

from bpvs.model.mon import ExitRange
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.lines import BLANKS

if TYPE_CHECKING:
    from collections.abc import Callable

TAG = re.compile(r"[A-Za-z0-9_.-]+")
TIME_EXAMPLES = "write 5s, 2m, 1.5h or 1d"
_TIME = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", re.ASCII | re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EXITS = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?", re.ASCII)
_YES = ("1", "y", "yes", "true", "on")
_NO = ("0", "n", "no", "false", "off")


def seconds(text: str) -> float:
    """A time, zero too: a decimal number and at once its unit, one of s, m, h and d in either case."""
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise Wrong(f"{text!r} is no time", TIME_EXAMPLES)
    return float(parts[1]) * _UNITS[parts[2].lower()]


def positive_seconds(text: str) -> float:
    """A time that is not zero."""
    value = seconds(text)
    if not value:
        raise Wrong(f"{text!r} is no time at all", TIME_EXAMPLES, quoted="0")
    return value


def whole_seconds(text: str) -> int:
    """A time that is not zero, a fraction of a second counted as a whole one."""
    return math.ceil(positive_seconds(text))


def number(text: str) -> int:
    """A number, zero too."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Wrong(f"{text!r} is no number", "write digits, as 20")
    return int(text)


def port(text: str) -> int:
    """A port; 0 lets the kernel choose."""
    value = number(text)
    if value > 65535:
        raise Wrong(f"{text!r} is no port", "ports end at 65535")
    return value


def exit_range(text: str) -> ExitRange:
    """Exit codes: `3`, or `2-4`."""
    parts = _EXITS.fullmatch(text)
    if parts is None:
        raise Wrong(f"{text!r} is neither an exit code nor a range of them", "write 3 or 2-4")
    exits = ExitRange(int(parts[1]), int(parts[2] or parts[1]))
    if exits.first > exits.last or exits.last > 255:
        raise Wrong(f"{text!r} holds no exit code", "write the lower one first; they end at 255")
    return exits


def is_tag(text: str) -> bool:
    """Whether it can be the name of a group or service."""
    return TAG.fullmatch(text) is not None


def choice(names: dict[str, object]) -> Callable[[str], object]:
    """A reader of one of these words."""

    def read(text: str) -> object:
        if text not in names:
            raise Wrong(f"{text!r} is unknown", f"write one of {', '.join(names)}")
        return names[text]

    return read


def yes(text: str) -> bool:
    """A flag: 1, y, yes, true or on in either case; whatever else is no, as in mon, and `neither` says so."""
    return text.lower() in _YES


def neither(text: str) -> str:
    """What is odd about a flag that is neither yes nor no."""
    return "" if text.lower() in _YES + _NO else f"{text!r} is neither yes nor no and counts as no"


def split_paths(text: str, base: str) -> tuple[str, ...]:
    """The directories of a search path, parted by colons and blanks around them; relative ones are below `base`."""
    parts = (part.strip(BLANKS) for part in text.split(":"))
    return tuple(os.path.join(base, part) for part in parts if part)
