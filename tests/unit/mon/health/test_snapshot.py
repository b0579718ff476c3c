# SPDX-License-Identifier: GPL-2.0-or-later
"""A snapshot obeys its schema and says what the engine knows."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from bpvs.mon.alerts.calling import AlertFailed
from bpvs.mon.lvs.book import FILE
from tests.unit.mon.core.stage import EPOCH
from tests.unit.mon.health.scene import SSH, WEB, Scene

SCHEMA = json.loads(files("bpvs.mon.health").joinpath("schema.json").read_text())


def strict() -> dict[str, Any]:
    """The schema, for which a field that it does not describe is an error too."""
    schema: dict[str, Any] = copy.deepcopy(SCHEMA)
    for one in (*schema["oneOf"], *schema["$defs"].values()):
        one["additionalProperties"] = False
    return schema


def check(found: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(strict()).validate(json.loads(json.dumps(found)))


def test_it_obeys_its_schema_from_the_first_moment_through_an_outage(scene: Scene) -> None:
    check(scene.snapshot())
    scene.fail()
    scene.trap(SSH, 3, "192.168.122.51", "no banner")
    scene.engine.ack(WEB, "joe", "on it", scene.now)
    check(scene.snapshot())
    scene.sleep(5)
    scene.result(WEB, 0)
    scene.engine.stop(scene.now)
    check(scene.snapshot())


def test_a_failing_service(scene: Scene) -> None:
    scene.tick_until(5)
    scene.result(WEB, 0, "\nHOST 192.168.122.50: 200 OK\n")
    scene.tick_until(10)
    scene.fail()
    scene.sleep(2)
    found = scene.snapshot()
    web = found["services"][0]
    assert (web["status"], web["since"], web["flaps"]) == ("fail", EPOCH + 10, 1)
    assert (web["last_check"], web["next_check"], web["interval"]) == (EPOCH + 10, EPOCH + 15, 5)
    assert (web["summary"], web["detail"]) == ("192.168.122.50", "\nHOST 192.168.122.50: connection refused\n")
    assert (web["description"], web["up_alerts"], web["alerts_now"]) == ("the shop", ["lvs.alert"], True)
    assert web["hosts"] == [{"host": "192.168.122.50", "state": "fail", "since": EPOCH + 10}]
    assert found["alerts"] == [
        {
            "type": "failure",
            "group": "HTTP1",
            "service": "http",
            "time": EPOCH + 10,
            "alert": "/alert.d/lvs.alert",
            "summary": "192.168.122.50",
        }
    ]
    (out,) = found["out"]
    assert (out["how"], out["server"]["weight"], out["service"]["address"]) == ("remove", 3, "192.168.122.53")


def test_hosts_have_states_of_their_own(scene: Scene) -> None:
    assert [host["state"] for host in scene.snapshot()["services"][1]["hosts"]] == ["untested", "untested", "disabled"]
    scene.tick_until(10)
    scene.result(SSH, 1, "192.168.122.51\n")
    hosts = scene.snapshot()["services"][1]["hosts"]
    assert [(host["state"], host["since"]) for host in hosts] == [
        ("ok", None),
        ("fail", EPOCH + 10),
        ("disabled", None),
    ]
    scene.result(SSH, 1, "all is lost\n")
    assert [host["state"] for host in scene.snapshot()["services"][1]["hosts"]] == ["fail", "fail", "disabled"]


def test_what_is_disabled_stopped_or_out_of_its_period_is_told(scene: Scene) -> None:
    scene.engine.disable_service(WEB, "joe", scene.now)
    scene.engine.disable_watch("BOTH")
    scene.engine.stop(scene.now)
    found = scene.snapshot()
    web, ssh = found["services"]
    assert (web["alerts_disabled"], ssh["alerts_disabled"]) == ("service", "group")
    assert ssh["alerts_now"] is False
    assert web["not_started"] == "the scheduler is stopped"
    assert found["daemon"]["stopped_since"] == EPOCH


def test_a_file_that_is_not_lvs_alerts_is_told(scene: Scene) -> None:
    (scene.folder / FILE).write_text("{")
    with pytest.raises(AlertFailed, match="cannot be read"):
        scene.snapshot()
