# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorded runs of mon 1.3.6: the results that it saw, and the alerts that it called for them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpvs.mon.core.values import CallAlert

GOLDEN = Path(__file__).parents[3] / "golden" / "mon"


@dataclass(frozen=True, order=True)
class Call:
    """An alert as its script saw it, without -t: that may be a second later than the result that it tells of."""

    kind: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    stdin: str

    @classmethod
    def recorded(cls, event: dict[str, object]) -> Call:
        """One line of a timeline."""
        argv, env = event["argv"], event["env"]
        assert isinstance(argv, list)
        assert isinstance(env, dict)
        return cls(str(event["call"]), (*argv[:6], *argv[8:]), tuple(sorted(env.items())), str(event["stdin"]))

    @classmethod
    def made(cls, call: CallAlert, names: frozenset[str]) -> Call:
        """One call of the engine, with the variables that the recording holds."""
        environment = tuple(sorted((name, value) for name, value in call.environment.items() if name in names))
        arguments = (*call.arguments[:6], *call.arguments[8:])
        return cls(call.kind.value, arguments, environment, call.stdin.decode())


@dataclass
class Step:
    """A result and the calls that followed it; the first step of a service is the start of the daemon."""

    at: int | None
    status: int = 0
    output: str = ""
    calls: list[Call] = field(default_factory=list)


def services(timeline: Path) -> Iterator[tuple[str, list[Step]]]:
    """Every group of a timeline, each with its one service's steps."""
    steps: list[Step] = []
    group = ""
    for line in timeline.read_text().splitlines():
        event = json.loads(line)
        if "group" in event:
            if group:
                yield group, steps
            group, steps = event["group"], [Step(None)]
        elif "result" in event:
            steps.append(Step(event["at"], event["result"], event["output"]))
        else:
            steps[-1].calls.append(Call.recorded(event))
    yield group, steps
