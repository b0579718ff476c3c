# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong in a file of mon's, where, and what would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model import BpvsError

if TYPE_CHECKING:
    from bpvs.text.mon.lines import Place


class Wrong(BpvsError):
    """A piece of text that is not what it ought to be, before anybody knows in which line.

    quoted: what mon 1.3.6 would quote of it, often nothing; legacy: mon's own text for it, if known
    """

    def __init__(self, wrong: str, right: str = "", *, quoted: str = "", legacy: str = "") -> None:
        super().__init__(f"{wrong}: {right}" if right else wrong)
        self.wrong = wrong
        self.right = right
        self.quoted = quoted
        self.legacy = legacy


class ConfigError(BpvsError):
    """A file that is refused as a whole; str() is `mon.cf:12: what is wrong: what would be right`.

    line: the last physical line of the text in question; 0 if it is the file as such
    legacy: the same in the words of mon 1.3.6, as its protocol puts them behind `cf error: `
    """

    def __init__(self, place: Place, wrong: str, right: str = "", *, legacy: str = "") -> None:
        super().__init__(f"{place}: {wrong}: {right}" if right else f"{place}: {wrong}")
        self.name = place.name
        self.line = place.line
        self.wrong = wrong
        self.right = right
        self.legacy = legacy or (f"{wrong}, line {place.line}" if place.line else wrong)

    @classmethod
    def at(cls, place: Place, wrong: Wrong) -> ConfigError:
        """The error of a piece of text at its place."""
        legacy = wrong.legacy and f"{wrong.legacy}, line {place.line}"
        return cls(place, wrong.wrong, wrong.right, legacy=legacy)
