# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorded runs of mon 1.3.6, the tutorial and one service for each keyword about alerts: the same calls."""

from __future__ import annotations

import pytest

from bpvs.model.mon import Key
from bpvs.mon.core.values import CallAlert, Moment
from tests.unit.mon.core.replay import GOLDEN, Call, services
from tests.unit.mon.core.stage import Stage

FOLDERS = {"02_tutorial_loopback": "http", "03_alert_logic": "ctl"}  # and the name of all their services
TIMELINES = {
    (folder, group): steps for folder in FOLDERS for group, steps in services(GOLDEN / folder / "timeline.jsonl")
}

# Kinds of calls that differ on purpose, by group and step: recorded, and ours.
DIFFERENCES: dict[str, dict[int, tuple[list[str], list[str]]]] = {
    "K_upafter60": {
        12: (["up"], []),  # upalertafter is in force: the outage lasted 31 s, not 60
        19: (["up"], []),  # 13 s
    },
}


def replay(folder: str, group: str) -> list[list[Call]]:
    """What the engine calls at every step."""
    stage = Stage((GOLDEN / folder / "mon.cf").read_text())
    key, steps = Key(group, FOLDERS[folder]), TIMELINES[folder, group]
    names = frozenset(name for step in steps for call in step.calls for name, _ in call.environment)
    made = []
    for step in steps:
        if step.at is None:
            effects = stage.engine.start(stage.now)
        else:
            stage.now = Moment(float(step.at), float(step.at))
            effects = stage.result(key, step.status, step.output)
        calls = [one for one in effects if isinstance(one, CallAlert) and one.key == key]
        # mon 1.3.6 goes through periods in no order, and its scripts run side by side; only rec.alert kept a record.
        made.append(sorted(Call.made(one, names) for one in calls if one.script == "rec.alert"))
    return made


@pytest.mark.parametrize(("folder", "group"), TIMELINES)
def test_the_same_calls(folder: str, group: str) -> None:
    steps = TIMELINES[folder, group]
    for number, (step, made) in enumerate(zip(steps, replay(folder, group), strict=True)):
        recorded = sorted(step.calls)
        if number in DIFFERENCES.get(group, {}):
            assert ([one.kind for one in recorded], [one.kind for one in made]) == DIFFERENCES[group][number]
        else:
            assert made == recorded, f"step {number} of {group}"
