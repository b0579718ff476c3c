# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that are out for an outage that the daemon does not know return at the first success."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.model.mon import AlertKind
from bpvs.mon.alerts.calling import AlertFailed, taken_apart
from bpvs.mon.core.values import CallAlert
from bpvs.mon.lvs.book import FILE
from bpvs.mon.lvs.forgotten import Forgotten
from tests.unit.mon.health.scene import SSH, WEB, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A daemon that knows of no outage, though a server is out."""
    Scene(tmp_path).fail()
    return Scene(tmp_path)


def test_the_first_success_calls_the_upalert_once(scene: Scene, tmp_path: Path) -> None:
    forgotten = Forgotten(tmp_path)
    assert forgotten.remembered(scene.engine, WEB, scene.now) == []  # not checked yet
    scene.result(WEB, 1, "192.168.122.50")
    assert forgotten.remembered(scene.engine, WEB, scene.now) == []
    scene.result(WEB, 0)
    (call,) = forgotten.remembered(scene.engine, WEB, scene.now)
    calling = taken_apart(call)
    assert (call.script, calling.is_up, calling.hosts, calling.own) == ("lvs.alert", True, ("192.168.122.50",), ())
    assert call.environment["MON_STATEDIR"] == str(tmp_path)
    assert call.environment["MON_ALERTTYPE"] == AlertKind.UP.value
    assert forgotten.remembered(scene.engine, WEB, scene.now) == []


def test_what_the_engine_calls_itself_is_not_called_again(scene: Scene, tmp_path: Path) -> None:
    forgotten = Forgotten(tmp_path)
    scene.result(WEB, 1, "192.168.122.50")
    effects = scene.result(WEB, 0)
    assert [one.kind for one in effects if isinstance(one, CallAlert)] == [AlertKind.UP]
    assert forgotten.remembered(scene.engine, WEB, scene.now, effects) == []
    assert forgotten.remembered(scene.engine, WEB, scene.now) == []


def test_others_are_not_called(scene: Scene, tmp_path: Path) -> None:
    scene.result(SSH, 0)
    assert Forgotten(tmp_path).remembered(scene.engine, SSH, scene.now) == []
    scene.result(WEB, 0)
    assert Forgotten().remembered(scene.engine, WEB, scene.now) == []


def test_what_is_disabled_waits(scene: Scene, tmp_path: Path) -> None:
    forgotten = Forgotten(tmp_path)
    scene.engine.disable_service(WEB, "joe", scene.now)
    scene.result(WEB, 0)
    assert forgotten.remembered(scene.engine, WEB, scene.now) == []
    scene.engine.enable_service(WEB)
    assert len(forgotten.remembered(scene.engine, WEB, scene.now)) == 1


def test_a_file_that_is_not_lvs_alerts_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    with pytest.raises(AlertFailed, match="cannot be read"):
        Forgotten(tmp_path)
