# SPDX-License-Identifier: GPL-2.0-or-later
"""What silences a whole service: stop, disable, acknowledgements, dependencies; and who hears of it anyway."""

from __future__ import annotations

import pytest

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core.errors import NotFailing, UnknownName
from tests.unit.mon.core.stage import EPOCH, HTTP, Stage, one_service

ALL = "alert a.alert\nupalert a.alert\nackalert a.alert acked\ndisablealert a.alert off"


def test_stopped_results_count_and_nobody_is_told() -> None:
    stage = Stage(one_service(ALL, "redistribute r.alert"))
    stage.run(HTTP)
    stage.engine.stop(stage.now)
    stage.result(HTTP, 1, "192.0.2.10")
    assert stage.engine.states[HTTP].op_status == Status.FAIL
    assert stage.calls() == []
    assert stage.logs("notice") == ["no alert for web/http: the scheduler is stopped"]
    stage.engine.resume(stage.now)
    stage.result(HTTP, 1)
    assert [one.script for one in stage.calls()] == ["r.alert", "a.alert"]


def test_a_disabled_watch_runs_and_is_silent_but_for_redistribute() -> None:
    stage = Stage(one_service(ALL, "redistribute r.alert"))
    stage.engine.disable_watch("web")
    stage.result(HTTP, 1)
    assert [one.script for one in stage.calls()] == ["r.alert"]
    stage.engine.enable_watch("web")
    stage.result(HTTP, 1)
    assert [one.script for one in stage.calls()] == ["r.alert", "r.alert", "a.alert"]


def test_disabling_a_service_calls_its_disablealert_once() -> None:
    stage = Stage(one_service(ALL))
    stage.take(stage.engine.disable_service(HTTP, "dave", stage.now))
    stage.take(stage.engine.disable_service(HTTP, "dave", stage.now))
    (call,) = stage.calls()
    assert (call.kind, call.stdin, call.arguments[8:]) == (AlertKind.DISABLE, b"dave", ("-D", "off"))
    assert "MON_RETVAL" not in call.environment
    stage.result(HTTP, 1)
    assert len(stage.calls()) == 1
    stage.engine.enable_service(HTTP)
    stage.result(HTTP, 0)
    assert len(stage.calls()) == 1, "no failure was told, so no recovery is"


def test_an_acknowledged_failure_is_silent_until_it_is_over() -> None:
    stage = Stage(one_service(ALL))
    stage.result(HTTP, 1)
    stage.take(stage.engine.ack(HTTP, "dave", "on my way", stage.now))
    state = stage.engine.states[HTTP]
    assert (state.ack, state.ack_comment) == (EPOCH, "dave: on my way")
    ack = stage.calls()[-1]
    assert (ack.stdin, ack.arguments[8:]) == (b"dave: on my way", ("-a", "acked"))
    assert ack.environment["MON_ACK"] == "dave: on my way"
    stage.result(HTTP, 1, "another")
    assert len(stage.calls()) == 2
    stage.result(HTTP, 0)
    assert [one.kind for one in stage.calls()] == [AlertKind.FAILURE, AlertKind.ACK, AlertKind.UP]
    assert state.ack == 0
    stage.result(HTTP, 1)
    assert len(stage.calls()) == 4


def test_unack_summary_takes_the_acknowledgement_away_when_the_summary_changes() -> None:
    stage = Stage(one_service(f"alertevery 1h strict\n{ALL}", "unack_summary"))
    stage.result(HTTP, 1, "a b")
    stage.engine.ack(HTTP, "dave", "", stage.now)
    stage.result(HTTP, 1, " a  b ")
    assert stage.engine.states[HTTP].ack
    stage.result(HTTP, 1, "a b c")
    assert not stage.engine.states[HTTP].ack
    assert [one.kind for one in stage.calls()] == [AlertKind.FAILURE, AlertKind.FAILURE]


@pytest.mark.parametrize("status", [Status.OK, Status.UNTESTED])
def test_only_a_failure_can_be_acknowledged(status: Status) -> None:
    stage = Stage(one_service(ALL))
    stage.engine.set_status(HTTP, status, stage.now)
    with pytest.raises(NotFailing):
        stage.engine.ack(HTTP, "dave", "", stage.now)


def test_a_status_by_decree_is_a_number_and_tells_nobody() -> None:
    stage = Stage(one_service(ALL))
    stage.engine.set_status(HTTP, Status.FAIL, stage.now)
    assert stage.engine.states[HTTP].op_status == 0
    stage.engine.set_status(HTTP, Status.OK, stage.now)
    assert (stage.engine.states[HTTP].last_op_status, stage.engine.states[HTTP].op_status) == (0, 1)
    assert stage.engine.states[HTTP].first_failure == 0
    assert stage.calls() == []
    stage.engine.set_status(HTTP, Status.TIMEOUT, stage.now)
    stage.sleep(4)
    stage.result(HTTP, 0)
    assert [one.seconds for one in stage.downtimes()] == [4]


def test_names_that_are_not_there_change_nothing() -> None:
    stage = Stage(one_service(ALL))
    engine, nowhere = stage.engine, Key("web", "nowhere")
    for refused in (
        lambda: engine.ack(nowhere, "u", "", stage.now),
        lambda: engine.disable_watch("nowhere"),
        lambda: engine.enable_watch("nowhere"),
        lambda: engine.disable_service(nowhere, "u", stage.now),
        lambda: engine.enable_service(nowhere),
        lambda: engine.test_monitor(nowhere, stage.now),
        lambda: engine.test_alert(AlertKind.FAILURE, HTTP, 1, "nowhen", stage.now),
        lambda: engine.clear_timers(nowhere, stage.now),
        lambda: engine.set_status(nowhere, Status.OK, stage.now),
        lambda: engine.timer(nowhere, stage.now),
        lambda: engine.why_not_started(nowhere, stage.now),
    ):
        with pytest.raises(UnknownName):
            refused()
    assert list(engine.states) == [HTTP]
    assert engine.disable_hosts(["192.0.2.10", "nowhere"]) == ["nowhere"]
    assert engine.disabled_hosts == set()


def test_redistribute_hears_of_every_result() -> None:
    stage = Stage(one_service("alertafter 9\nalert a.alert", "redistribute r.alert one two"))
    stage.take(stage.engine.start(stage.now))
    for status, output in ((0, "fine"), (0, "good"), (2, "bad"), (0, "well")):
        stage.result(HTTP, status, output)
    calls = stage.calls()
    kinds = [AlertKind.STARTUP, AlertKind.UP, AlertKind.UP, AlertKind.FAILURE, AlertKind.UP]
    assert [one.kind for one in calls] == kinds
    assert [one.stdin for one in calls] == [b"", b"", b"fine", b"bad", b"bad"]
    assert calls[1].arguments[8:] == ("-u", "one", "two")
    assert not stage.engine.alert_history


def test_a_script_that_is_not_there_is_told_and_does_not_count() -> None:
    stage = Stage(one_service("numalerts 1\nalert gone.alert\nupalert a.alert"), missing=["gone.alert"])
    stage.result(HTTP, 1)
    stage.result(HTTP, 0)
    assert stage.calls() == []
    assert stage.logs("err") == ["no alert for web/http: there is no script 'gone.alert' in alertdir"]


def test_an_alert_can_be_tested_at_any_time() -> None:
    stage = Stage(one_service("alert exit=2-3 a.alert x\nalert b.alert\nupalert a.alert y"))
    stage.engine.disable_watch("web")
    stage.take(stage.engine.test_alert(AlertKind.FAILURE, HTTP, 3, "wd {Sun-Sat}", stage.now))
    stage.take(stage.engine.test_alert(AlertKind.FAILURE, HTTP, 1, "wd {Sun-Sat}", stage.now))
    stage.take(stage.engine.test_alert(AlertKind.UP, HTTP, 0, "wd {Sun-Sat}", stage.now))
    calls = stage.calls()
    assert [one.script for one in calls] == ["a.alert", "b.alert", "b.alert", "a.alert"]
    assert calls[0].arguments[8:] == ("x",)
    assert calls[-1].arguments[8:] == ("-u", "y")
    assert {one.stdin for one in calls} == {b"test\ntest detail\n"}
    assert calls[0].environment["MON_ALERTTYPE"] == "test"
    assert calls[0].environment["MON_RETVAL"] == "3"
    assert not stage.engine.alert_history


def test_what_is_kept_of_failures_and_alerts() -> None:
    stage = Stage("histlength = 2\n" + one_service(ALL))
    for number in range(3):
        stage.result(HTTP, 1, f"failure {number}")
        stage.sleep(1)
    assert [(one.epoch, one.summary) for one in stage.engine.failure_history] == [
        (EPOCH + 1, "failure 1"),
        (EPOCH + 2, "failure 2"),
    ]
    assert [(one.kind, one.path) for one in stage.engine.alert_history] == [(AlertKind.FAILURE, "/alert.d/a.alert")] * 2


def test_an_outage_in_the_downtime_log() -> None:
    stage = Stage(one_service(ALL))
    stage.result(HTTP, 1, "first")
    stage.sleep(7)
    stage.result(HTTP, 1, "last")
    stage.sleep(3)
    stage.result(HTTP, 0)
    (outage,) = stage.downtimes()
    assert (outage.began, outage.ended, outage.seconds, outage.interval) == (EPOCH, EPOCH + 10, 10, 5)
    assert outage.summary == "last"


def test_flaps_and_the_last_change() -> None:
    stage = Stage(one_service(ALL))
    for status in (0, 0, 1, 1, 0):
        stage.sleep(1)
        stage.result(HTTP, status)
    state = stage.engine.states[HTTP]
    assert (state.flaps, state.changed) == (2, EPOCH + 5)


@pytest.mark.parametrize("output", [b"", b"\ndetail\n", b"  \ndetail"])
def test_a_failure_without_a_summary(output: bytes) -> None:
    stage = Stage(one_service(ALL))
    stage.result(HTTP, 137, output)
    assert stage.engine.states[HTTP].last_summary == "(NO SUMMARY)"
    assert stage.engine.states[HTTP].exitval == 137
    assert stage.calls()[0].stdin == output
    assert stage.logs("crit") == [f"failure for web http {EPOCH} (NO SUMMARY)"]
    assert stage.logs("alert") == ["calling alert a.alert for web/http (/alert.d/a.alert) (NO SUMMARY)"]
