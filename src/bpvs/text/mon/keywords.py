# SPDX-License-Identifier: GPL-2.0-or-later
"""What a keyword of a mon.cf is: the field that it fills, how its value is read, and how mon 1.3.6 refuses one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpvs.text.mon.errors import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword with one value.

    field: the name in the value class (`bpvs.model.mon`)
    read: its value from the text behind it; raises Wrong
    legacy: mon's text for a wrong one, if known; {text} is the value, {quoted} what mon shows of it, {name} the keyword
    odd: what is odd about an acceptable value, as a notice; empty if nothing
    """

    field: str
    read: Callable[[str], Any]
    legacy: str = ""
    odd: Callable[[str], str] = lambda _: ""

    def value(self, name: str, text: str) -> Any:
        """The value; Wrong that begins with the keyword's name."""
        try:
            return self.read(text)
        except Wrong as wrong:
            legacy = wrong.legacy or self.legacy.format(text=text, quoted=wrong.quoted, name=name)
            raise Wrong(f"{name}: {wrong.wrong}", wrong.right, legacy=legacy) from None


def similar(word: str, known: Iterable[str]) -> str:
    """`did you mean ...`, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""
