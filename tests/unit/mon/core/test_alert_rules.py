# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule about alerts as a table: results at seconds, and the calls that follow.

A script is written `SECOND RESULT`, where the result is `ok`, or `fail`, `fail:SUMMARY`, `fail:SUMMARY:STATUS`.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from bpvs.model.mon import AlertKind
from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import CallAlert
from tests.unit.mon.core.stage import HTTP, Stage, one_service

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = "alert a.alert\nupalert a.alert"
EVERY_5 = "5 fail, 10 fail, 15 fail, 20 fail, 25 fail, 30 fail, 35 ok"

RULES = [
    ("every failing check tells, and the recovery", BOTH, EVERY_5, "5f 10f 15f 20f 25f 30f 35u"),
    ("nothing is told while all is well", BOTH, "5 ok, 10 ok", ""),
    ("alertafter N", f"alertafter 3\n{BOTH}", EVERY_5, "15f 20f 25f 30f 35u"),
    ("alertafter N: a success starts anew", f"alertafter 3\n{BOTH}", "5 fail, 10 fail, 15 ok, 20 fail, 25 fail", ""),
    ("alertafter T: for longer than T", f"alertafter 10s\n{BOTH}", EVERY_5, "20f 25f 30f 35u"),
    ("alertafter T: a success starts anew", f"alertafter 10s\n{BOTH}", "5 fail, 10 fail, 15 ok, 20 fail, 30 fail", ""),
    ("alertafter N T: in groups", f"alertafter 3 12s\n{BOTH}", EVERY_5, "15f 30f 35u"),
    ("alertafter N T: too far apart", f"alertafter 2 7s\n{BOTH}", "5 fail, 15 fail, 25 fail, 30 fail", "30f"),
    ("alertevery", f"alertevery 12s\n{BOTH}", EVERY_5, "5f 20f 35u"),
    ("alertevery to the second", f"alertevery 10s\n{BOTH}", EVERY_5, "5f 15f 25f 35u"),
    (
        "alertevery: another summary",
        f"alertevery 1h\n{BOTH}",
        "5 fail:a, 10 fail:a, 15 fail:a b, 20 fail:a b, 25 ok, 30 fail:a b",
        "5f 15f 25u 30f",
    ),
    (
        "alertevery: another detail is not another summary",
        f"alertevery 1h\n{BOTH}",
        "5 fail:a/one, 10 fail:a/two",
        "5f",
    ),
    (
        "alertevery observe_detail",
        f"alertevery 1h observe_detail\n{BOTH}",
        "5 fail:a/one, 10 fail:a/one, 15 fail:a/two",
        "5f 15f",
    ),
    (
        "alertevery ignore_summary",
        f"alertevery 1h ignore_summary\n{BOTH}",
        "5 fail:a, 10 fail:b, 15 ok, 20 fail:b",
        "5f 15u 20f",
    ),
    (
        "alertevery strict",
        f"alertevery 20s strict\n{BOTH}",
        "5 fail:a, 10 fail:b, 15 ok, 20 fail:b, 25 fail:b",
        "5f 15u 25f",
    ),
    ("numalerts", f"numalerts 2\n{BOTH}", "5 fail, 10 fail, 15 fail, 20 ok, 25 fail", "5f 10f 20u 25f"),
    ("alertexitrange", f"alertexitrange 2-4\n{BOTH}", "5 fail:a:1, 10 fail:a:2, 15 fail:a:4, 20 fail:a:5", "10f 15f"),
    (
        "exit=",
        "alert exit=1 a.alert\nalert exit=2-3 a.alert\nalert a.alert\nupalert a.alert",
        "5 fail:a:1, 10 fail:a:3, 15 fail:a:9, 20 ok",
        "5f 5f 10f 10f 15f 20u",
    ),
    ("an upalert needs an alert in its own period", "upalert a.alert", "5 fail, 10 ok", ""),
    (
        "no_comp_alerts: an upalert without one",
        "no_comp_alerts\nupalert a.alert",
        "5 fail, 10 ok, 15 fail, 20 ok",
        "10u",
    ),
    (
        "no_comp_alerts: again after an alert",
        f"no_comp_alerts\nalertafter 2\n{BOTH}",
        "5 fail, 10 ok, 15 fail, 20 fail, 25 ok, 30 fail, 35 ok",
        "10u 20f 25u",
    ),
    ("upalertafter: a brief outage", f"upalertafter 10s\n{BOTH}", "5 fail, 10 fail, 14 ok", "5f 10f"),
    ("upalertafter: long enough", f"upalertafter 10s\n{BOTH}", "5 fail, 10 fail, 15 ok", "5f 10f 15u"),
    ("numalerts 1 after a startup alert", f"startupalert a.alert\nnumalerts 1\n{BOTH}", "5 fail, 10 fail", "0s 5f"),
    ("strict after a startup alert", f"startupalert a.alert\nalertevery 1h strict\n{BOTH}", "5 fail", "0s 5f"),
    ("never", "alert a.alert\nperiod none\nalert b.alert", "5 fail", "5f"),
    (
        "two periods are two",
        f"{BOTH}\nperiod two:\nalertafter 2\n{BOTH}",
        "5 fail, 10 ok, 15 fail, 20 fail, 25 ok",
        "5f 10u 15f 20f 20f 25u 25u",
    ),
]
LETTERS = {AlertKind.FAILURE: "f", AlertKind.UP: "u", AlertKind.STARTUP: "s"}


def events(script: str) -> Iterator[tuple[float, int, str]]:
    """Second, status and output of each result."""
    for event in filter(None, script.split(", ")):
        second, _, what = event.partition(" ")
        word, summary, status = (*what.split(":"), "", "")[:3]
        yield float(second), 0 if word == "ok" else int(status or 1), summary.replace("/", "\n") or "out"


def told(stage: Stage) -> str:
    """The calls so far, as in the tables."""
    calls = [(second, one.kind) for second, one in stage.effects if isinstance(one, CallAlert)]
    return " ".join(f"{second:g}{LETTERS[kind]}" for second, kind in calls)


@pytest.mark.parametrize(("period", "script", "expected"), [pytest.param(*rule[1:], id=rule[0]) for rule in RULES])
def test_rule(period: str, script: str, expected: str) -> None:
    stage = Stage(one_service(period))
    stage.take(stage.engine.start(stage.now))
    for second, status, output in events(script):
        stage.sleep(second - stage.seconds)
        stage.result(HTTP, status, output)
    assert told(stage) == expected


@pytest.mark.parametrize(("period", "script", "expected"), [pytest.param(*rule[1:], id=rule[0]) for rule in RULES])
def test_rule_with_a_restart_before_every_result(period: str, script: str, expected: str) -> None:
    stage = Stage(one_service(period))
    stage.take(stage.engine.start(stage.now))
    for second, status, output in events(script):
        stage.sleep(second - stage.seconds)
        states = stage.engine.states.values()
        stage.engine = Engine(stage.engine.config, Random(1), stage.now, known_scripts=stage.scripts)  # noqa: S311
        stage.engine.restore(states, stage.now)
        stage.result(HTTP, status, output)
    assert told(stage) == expected
