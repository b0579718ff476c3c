# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.model import BpvsError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Reply:
    """Data lines, which may be made while they are sent, and the final line, `NNN text`."""

    final: str
    lines: Iterable[str] = ()


class Refused(BpvsError):
    """A command is refused, nothing has changed; str() is the final line without its code."""

    def __init__(self, text: str, code: int = 520) -> None:
        super().__init__(text)
        self.code = code


def done(text: str, lines: Iterable[str] = ()) -> Reply:
    """The command was carried out."""
    return Reply(f"220 {text}", lines)
