# SPDX-License-Identifier: GPL-2.0-or-later
"""mon(8) names what monitors and alerts are given."""

from __future__ import annotations

import re
from pathlib import Path

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.core.calls import FLAGS
from bpvs.mon.core.values import StartMonitor, Trap
from tests.unit.mon.core.stage import HTTP, Stage, one_service

PAGE = (Path(__file__).resolve().parents[3] / "man/mon.8").read_text(encoding="utf-8")
SETTINGS = "statedir = /s\nlogdir = /l\ncfbasedir = /c\n"
SERVICE = "description text\nmonitordepend web:other"


def test_every_variable_is_named() -> None:
    period = "alert a.alert\nackalert a.alert\nservice other\nmonitor x.monitor"
    stage = Stage(SETTINGS + one_service(period, SERVICE))
    stage.result(Key("web", "other"), 0)
    stage.result(HTTP, 1, "192.0.2.10\n")
    stage.take(stage.engine.trap(Trap(HTTP, 1, "192.0.2.11", "", "192.0.2.1", Key("gone", "http")), stage.now))
    (failure, trap) = stage.calls()
    stage.take(stage.engine.ack(HTTP, "dave", "mine", stage.now))
    (ack,) = stage.calls(AlertKind.ACK)
    stage.run(HTTP)
    (*_, monitor) = (effect for _, effect in stage.effects if isinstance(effect, StartMonitor))
    given = {*failure.environment, *trap.environment, *ack.environment, *monitor.environment}
    named = re.findall(r"MON_[A-Z_]+", "".join(re.findall(r"^\.It Ev .*\n", PAGE, re.MULTILINE)))
    assert sorted(named) == sorted(given)


def test_every_flag_is_told() -> None:
    section = PAGE.partition(".Ss Alerts\n")[2].partition(".Ss ")[0]
    assert {flag for flag in FLAGS.values() if f".Fl {flag[1:]}\n" in section} == set(FLAGS.values())
