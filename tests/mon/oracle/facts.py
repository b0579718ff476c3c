# SPDX-License-Identifier: GPL-2.0-or-later
"""What a side did, without what is another's in every run: places of files, epochs, durations; and what differs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.mon.oracle.calls import Call

Facts = dict[str, dict[str, str]]  # where it happened, name of the fact, value
ABSENT = "-"
_EPOCH = re.compile(r"\b1[0-9]{9}\b")
_CTIME = re.compile(r"\b(Sun|Mon|Tue|Wed|Thu|Fri|Sat) \w{3} [ 0-9]\d \d\d:\d\d:\d\d \d{4}\b")
_RESET = re.compile(r"\breset PID \d+@\S+")
_CHANGING = {"timer", "failure_duration", "monitor_duration"}


@dataclass
class Blur:
    """What is left of a text of a side: `~` for its directory; for an epoch, in which round it was."""

    home: Path
    rounds: list[float]  # epochs at which rounds began, each later than whatever happened in the one before
    is_coarse: bool = False

    def __call__(self, text: str) -> str:
        text = _CTIME.sub("(local time)", text.replace(str(self.home), "~"))
        return _EPOCH.sub(self._round, _RESET.sub("reset PID", text))

    def _round(self, found: re.Match[str]) -> str:
        if self.is_coarse:
            return "@"
        return f"@{sum(1 for begin in self.rounds if int(begin) <= int(found[0]))}"


def of_calls(place: str, calls: Iterable[Call], blur: Blur) -> Facts:
    """Each call by its words; those that are alike are counted."""
    counted: Counter[str] = Counter()
    facts: Facts = {}
    for call in sorted(calls, key=lambda call: (call.argv, sorted(call.variables.items()))):
        words = f"{':'.join(call.key)} {blur(' '.join(map(repr, call.argv)))}"
        counted[words] += 1
        variables = {name: blur(value) for name, value in call.variables.items()}
        facts[f"{place} {words} #{counted[words]}"] = {**variables, "stdin": blur(call.stdin)}
    return facts


def of_status(place: str, lines: Iterable[Mapping[str, str]], blur: Blur) -> Facts:
    """The fields of lines of `list opstatus`."""
    facts: Facts = {}
    for line in lines:
        fields = {name: blur(value) for name, value in line.items() if name not in _CHANGING}
        if "exclude_hosts" in fields:
            fields["exclude_hosts"] = " ".join(sorted(fields["exclude_hosts"].split()))
        facts[f"{place} status {line['group']}:{line['service']}"] = fields
    return facts


def without_duration(line: str) -> str:
    """A line of the downtime log; when the outage began and ended tells enough of its length."""
    ended, group, service, began, _, rest = line.split(" ", 5)
    return f"{ended} {group} {service} {began} {rest}"


@dataclass(frozen=True)
class Difference:
    """One fact as it is on either side, ABSENT where there is none."""

    scenario: str
    place: str
    fact: str
    real: str
    ours: str

    def __str__(self) -> str:
        return f"{self.scenario}, {self.place}, {self.fact}: mon 1.3.6 {self.real!r}, BPVS {self.ours!r}"


def differences(scenario: str, real: Facts, ours: Facts) -> Iterator[Difference]:
    """Places that only one side has, and facts that differ in places that both have."""
    for place in {**real, **ours}:
        if place not in real or place not in ours:
            yield Difference(scenario, place, "there", *("yes" if place in side else ABSENT for side in (real, ours)))
            continue
        for fact in {**real[place], **ours[place]}:
            values = real[place].get(fact, ABSENT), ours[place].get(fact, ABSENT)
            if values[0] != values[1]:
                yield Difference(scenario, place, fact, *values)
