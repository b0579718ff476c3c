# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenarios: functions that do and say things, played on both sides; one module for each topic."""

from __future__ import annotations

from tests.oracle.scenarios import (
    changes,
    commands,
    counters,
    limits,
    local,
    marks,
    once,
    persistence,
    protocols,
    refusal,
    replies,
    reuse,
    schedulers,
    settings,
    sip,
    states,
    ways,
)
from tests.oracle.scenarios.registry import SCENARIOS, Scenario

__all__ = [
    "SCENARIOS",
    "Scenario",
    "changes",
    "commands",
    "counters",
    "limits",
    "local",
    "marks",
    "once",
    "persistence",
    "protocols",
    "refusal",
    "replies",
    "reuse",
    "schedulers",
    "settings",
    "sip",
    "states",
    "ways",
]
