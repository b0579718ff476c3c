# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between two transcripts, which of it is accepted, and how the rest is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tests.oracle.accepted import Accepted

REAL, OURS = "ipvs", "bpvs"
_WIDTH = 62
_CONTEXT = 3
Transcripts = Mapping[str, Mapping[str, list[str]]]  # side, scenario, lines


@dataclass(frozen=True, slots=True)
class Difference:
    """Lines of both sides that stand in the same place, from line `at` of the real side's transcript on."""

    scenario: str
    at: int
    real: tuple[str, ...]
    ours: tuple[str, ...]


def transcripts(output: str) -> dict[str, dict[str, list[str]]]:
    """What the player printed; other lines (of the kernel, of a worker that broke) are left out."""
    found: dict[str, dict[str, list[str]]] = {REAL: {}, OURS: {}}
    for line in output.splitlines():
        if line.startswith('{"side"'):
            told = json.loads(line)
            found[told["side"]][told["scenario"]] = told["lines"]
    return found


def differences(scenario: str, real: Sequence[str], ours: Sequence[str]) -> Iterator[Difference]:
    """Blocks of lines that differ; those of equal length line by line."""
    for kind, a, b, c, d in SequenceMatcher(None, real, ours, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if b - a != d - c:
            yield Difference(scenario, a, tuple(real[a:b]), tuple(ours[c:d]))
            continue
        for at in range(b - a):
            yield Difference(scenario, a + at, (real[a + at],), (ours[c + at],))


def accepting(difference: Difference, accepted: Iterable[Accepted]) -> Accepted | None:
    """The entry of the list that a difference falls under."""
    for one in accepted:
        if one.concerns(difference.scenario) and _fits(one, difference):
            return one
    return None


def _fits(one: Accepted, difference: Difference) -> bool:
    sides = (one.real, difference.real), (one.ours, difference.ours)
    return all(re.fullmatch(pattern, "\n".join(lines), re.DOTALL) for pattern, lines in sides)


def shown(differences: Iterable[Difference], real: Sequence[str]) -> str:
    """Side by side, each difference below the lines that led to it."""
    lines = [f"{'IPVS':{_WIDTH}}   BPVS"]
    last = 0
    for one in differences:
        start = max(last, one.at - _CONTEXT)
        lines += ["..."] * (start > last)
        lines += [f"{line:{_WIDTH}} = " for line in real[start : one.at]]
        for row in range(max(len(one.real), len(one.ours))):
            left = one.real[row] if row < len(one.real) else ""
            right = one.ours[row] if row < len(one.ours) else ""
            lines.append(f"{left:{_WIDTH}} | {right}")
        last = one.at + len(one.real)
    return "\n".join(lines)
