# SPDX-License-Identifier: GPL-2.0-or-later
"""Which hosts of a group fail and recover, by the names in a monitor's summary line."""

from __future__ import annotations

import json

import pytest

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.core.values import CallAlert, Moment
from bpvs.mon.core.world import named_hosts
from tests.unit.mon.core.replay import GOLDEN
from tests.unit.mon.core.stage import HTTP, Stage, one_service

BOTH = "127.0.0.2 127.0.0.3"


def test_two_hosts_in_one_group_as_recorded() -> None:
    folder = GOLDEN / "17_multihost_group"
    stage, key = Stage((folder / "mon.cf").read_text()), Key("WEB", "http")
    seen = []
    for line in (folder / "timeline.jsonl").read_text().splitlines():
        event = json.loads(line)
        stage.now = Moment(event["at"], event["at"])
        calls = [
            one for one in stage.result(key, event["status"], f"{event['summary']}\n") if isinstance(one, CallAlert)
        ]
        assert {one.kind.value for one in calls} == ({event["call"]} if "call" in event else set())
        assert [one.script for one in calls] == (["lb.alert", "rec.alert"] if "call" in event else [])
        for one in calls[:1]:
            flag = ("-u",) if one.kind is AlertKind.UP else ()
            assert one.arguments == ("-s", "http", "-g", "WEB", "-h", BOTH, "-t", str(event["at"]), *flag)
            seen.append((one.stdin, one.environment["MON_FAILED_HOSTS"], one.environment["MON_RECOVERED_HOSTS"]))
    assert seen == [
        (b"127.0.0.2\n", "127.0.0.2", ""),
        (b"127.0.0.2 127.0.0.3\n", BOTH, ""),
        (b"127.0.0.3\n", "127.0.0.3", "127.0.0.2"),
        (b"127.0.0.3\n", "", "127.0.0.3"),
    ]


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("", ()),
        ("10.0.0.10", ("10.0.0.10",)),
        ("10.0.0.1, 10.0.0.10", ("10.0.0.1", "10.0.0.10")),
        ("h.: refused (10.0.0.1)", ("10.0.0.1", "h.")),
        ("host 10.0.0.1.", ("10.0.0.1",)),
        ("xh. 110.0.0.1 10.0.0.100", ()),
    ],
)
def test_a_host_is_named_by_a_whole_word(summary: str, expected: tuple[str, ...]) -> None:
    assert named_hosts(summary, ("10.0.0.1", "10.0.0.10", "h.")) == expected


def test_since_when_a_host_fails() -> None:
    stage = Stage(one_service("alert a.alert"))
    began = int(stage.now.epoch)
    stage.result(HTTP, 1, "192.0.2.10")
    stage.sleep(5)
    stage.result(HTTP, 1, "192.0.2.11 192.0.2.10")
    assert stage.engine.states[HTTP].host_failures == {"192.0.2.10": began, "192.0.2.11": began + 5}
    stage.result(HTTP, 0)
    assert stage.engine.states[HTTP].host_failures == {}


def test_a_host_taken_out_is_a_name_and_no_pattern() -> None:
    stage = Stage(one_service("alert a.alert"))
    assert stage.engine.disable_hosts(["192.0.2.1.", ".*", "192.0.2.10"]) == ["192.0.2.1.", ".*"]
    assert stage.engine.disable_hosts(["192.0.2.10"]) == []
    assert stage.engine.hosts_of(HTTP) == ("192.0.2.11",)
    stage.result(HTTP, 1, "192.0.2.11")
    assert stage.calls()[0].arguments[5] == "192.0.2.11"
    stage.engine.enable_hosts(["192.0.2.10"])
    assert stage.engine.hosts_of(HTTP) == ("192.0.2.10", "192.0.2.11")
    assert not stage.engine.group_disabled("web")


def test_the_only_host_of_a_watch_takes_its_alerts_with_it() -> None:
    stage = Stage("hostgroup one a\n\nwatch one\nservice s\n\nhostgroup two a b\n\nwatch two\nservice s\n")
    stage.engine.disable_hosts(["a"])
    assert stage.engine.disabled_watches == {"one"}
    stage.engine.enable_hosts(["a"])
    assert stage.engine.disabled_watches == set()
