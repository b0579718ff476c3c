# SPDX-License-Identifier: GPL-2.0-or-later
"""The line of `list opstatus`: `name=value` pairs, one blank between them, each value one escaped word."""

from __future__ import annotations

from bpvs.text.mon.escape import escape, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# What people and programs wrote; a backslash in these is doubled.
_DOUBLING = frozenset(
    ("ackcomment", "depend", "hostdepend", "monitordepend", "alertdepend", "monitor", "last_summary", "last_detail")
)


def print_line(fields: Mapping[str, str]) -> str:
    """The fields in their order."""
    return " ".join([f"{name}={escape(value, doubling=name in _DOUBLING)}" for name, value in fields.items()])


def parse_line(line: str) -> dict[str, str]:
    """The fields of a line; words without `=` are no fields."""
    pairs = (word.split("=", 1) for word in line.split() if "=" in word)
    return {name: unescape(value) for name, value in pairs}
