# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of scenarios, filled by the decorator that they carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.oracle import recordings
from tests.oracle.play import Play

Script = Callable[[Play], None]
# A scenario's number is the second octet of its addresses; 255 is the stage's own, 0 that of recorded commands. Once
# recorded it stays, or two recordings would have the same.
_RECORDED = recordings.numbers()
_free = iter(sorted({*range(2, 255)} - {*_RECORDED.values()}))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`always`: part of the subset that every run of the tests plays. `alone`: on a stage that no other was on.

    `is_replayed`: BPVS's side can be played without the machine, which has devices that not every kernel has.
    """

    name: str
    number: int
    script: Script
    always: bool
    alone: bool
    is_replayed: bool


SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str, *, always: bool = False, alone: bool = False) -> Callable[[Script], Script]:
    """Enters a function into the list."""

    def enter(script: Script) -> Script:
        add(name, script, always=always, alone=alone)
        return script

    return enter


def add(name: str, script: Script, *, always: bool = False, alone: bool = False, is_replayed: bool = True) -> None:
    """Enters a scenario into the list; its name is new."""
    number = _RECORDED.get(recordings.file_of(name).name) or next(_free, None)
    if name in SCENARIOS or "," in name or number is None:
        raise ValueError(f"scenario {name!r} is there already, has a comma, or there are more than addresses")
    SCENARIOS[name] = Scenario(name, number, script, always, alone, is_replayed)
