# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs are given: every variable, and never more than Linux lets a program have."""

from __future__ import annotations

import os
import subprocess

from bpvs.model.mon import AlertKind
from bpvs.mon.core.calls import CUT, LONGEST_ENVIRONMENT, LONGEST_SUMMARY, LONGEST_VARIABLE, capped, joined
from tests.unit.mon.core.stage import EPOCH, HTTP, Stage, one_service

SETTINGS = "statedir = /s\nlogdir = /l\ncfbasedir = /c\n"


def test_the_environment_of_a_monitor() -> None:
    stage = Stage(SETTINGS + one_service("alert a.alert", "KIND=own  'value'\ndescription two words"))
    (first,) = stage.tick_until(5)
    common = {
        "KIND": "own  'value'",
        "MON_GROUP": "web",
        "MON_SERVICE": "http",
        "MON_DESCRIPTION": "two words",
        "MON_STATEDIR": "/s",
        "MON_LOGDIR": "/l",
        "MON_CFBASEDIR": "/c",
    }
    assert first.environment == {**common, "MON_LAST_FAILURE": "0", "MON_LAST_SUCCESS": "0"}
    stage.result(HTTP, 1, "192.0.2.10\nrefused\n")
    (second,) = stage.tick_until(10)
    assert second.environment == {
        **common,
        "MON_LAST_SUMMARY": "192.0.2.10",
        "MON_LAST_OUTPUT": "192.0.2.10\nrefused\n",
        "MON_LAST_FAILURE": str(EPOCH + 5),
        "MON_FIRST_FAILURE": str(EPOCH + 5),
        "MON_LAST_SUCCESS": "0",
    }


def test_a_service_cannot_hide_what_the_daemon_says() -> None:
    stage = Stage(one_service("alert a.alert", "MON_GROUP=mine"))
    assert stage.tick_until(5)[0].environment["MON_GROUP"] == "web"


def test_hosts_that_are_given_after_two_semicolons_are_not() -> None:
    stage = Stage(one_service("alert a.alert", "monitor x.monitor a;;"))
    (start,) = stage.tick_until(5)
    assert (start.words, start.hosts) == (("x.monitor", "a"), ())


def test_timeouts() -> None:
    for service, settings, seconds in [
        ("", "", 300.0),
        ("interval 10m", "", 600.0),
        ("", "monitor_timeout = 20s\n", 20.0),
        ("timeout 3s", "monitor_timeout = 20s\n", 3.0),
    ]:
        stage = Stage(settings + one_service("alert a.alert", service))
        assert stage.tick_until(600)[0].timeout == seconds


def test_a_flood_of_output_still_makes_a_call_that_linux_executes() -> None:
    flood = b"x" * 300_000 + b"\n" + "ä".encode() * 300_000 + b"\0\xff"
    stage = Stage(one_service("alert a.alert", "description " + "d" * 200_000))
    for _ in range(2):
        stage.result(HTTP, 1, flood)
    call = stage.calls()[-1]
    assert call.stdin == flood
    environment = {name: value for name, value in call.environment.items() if name.startswith("MON_")}
    sizes = {name: len(name) + len(os.fsencode(value)) + 2 for name, value in environment.items()}
    assert max(sizes.values()) <= LONGEST_VARIABLE
    assert sum(sizes.values()) <= LONGEST_ENVIRONMENT
    assert {name for name, value in environment.items() if value.endswith(CUT.decode())} == {
        "MON_DESCRIPTION",
        "MON_LAST_SUMMARY",
        "MON_LAST_OUTPUT",
    }
    assert subprocess.run(["/bin/true", *call.arguments], env=environment, check=False).returncode == 0


def test_all_variables_together_are_capped() -> None:
    variables = capped({f"V{number}": "v" * 60_000 for number in range(20)})
    assert list(variables) == [f"V{number}" for number in range(9)]
    assert variables["V8"].endswith(CUT.decode())
    assert sum(len(name) + len(value) + 2 for name, value in variables.items()) <= LONGEST_ENVIRONMENT


def test_histories_and_logs_keep_the_beginning_of_a_long_line() -> None:
    stage = Stage(one_service("alert a.alert"))
    stage.result(HTTP, 1, "x" * 1_000_000)
    stage.result(HTTP, 0)
    (call,) = stage.calls(AlertKind.FAILURE)
    assert len(call.stdin) == 1_000_000
    engine, kept = stage.engine, "x" * LONGEST_SUMMARY + CUT.decode()
    assert [entry.summary for entry in engine.failure_history] == [kept]
    assert [entry.summary for entry in engine.alert_history] == [kept]
    assert [entry.summary for entry in stage.downtimes()] == [kept]
    assert max(map(len, stage.logs("crit") + stage.logs("alert"))) < LONGEST_SUMMARY + 200


def test_a_huge_group_is_cut_between_hosts() -> None:
    hosts = tuple(f"192.0.2.{number}" for number in range(20_000))
    text = joined(hosts)
    assert len(text) <= 120 * 1024
    assert set(text.split()) < set(hosts)


def test_output_that_is_no_text_comes_out_as_it_went_in() -> None:
    stage = Stage(one_service("alert a.alert"))
    stage.result(HTTP, 1, b"\xff\xfe host\r\n")
    call = stage.calls(AlertKind.FAILURE)[0]
    assert os.fsencode(call.environment["MON_LAST_SUMMARY"]) == b"\xff\xfe host\r"
