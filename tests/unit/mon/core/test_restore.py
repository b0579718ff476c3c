# SPDX-License-Identifier: GPL-2.0-or-later
"""Another run of the daemon, or another configuration, goes on where the last one was."""

from __future__ import annotations

from random import Random

import pytest

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import CallAlert, Moment, Outcome, ServiceState, StartMonitor, StopMonitor
from bpvs.text.mon.config import parse
from tests.unit.mon.core.stage import EPOCH, HTTP, Stage, one_service

BOTH = "alert a.alert\nupalert a.alert"


def again(stage: Stage, text: str, seconds: float = 0) -> Stage:
    """The daemon started again so much later, on a machine that was started anew."""
    other = Stage(text, at=50.0)
    other.now = Moment(50.0, stage.now.epoch + seconds)
    assert other.engine.restore(stage.engine.states.values(), other.now) == []
    return other


def test_a_service_that_is_gone_is_told_and_makes_nothing() -> None:
    stage = Stage(one_service(BOTH))
    assert stage.engine.restore([ServiceState(Key("web", "gone"))], stage.now) == [Key("web", "gone")]
    assert list(stage.engine.states) == [HTTP]


def test_an_outage_goes_on() -> None:
    text = one_service(f"alertevery 1h\n{BOTH}")
    stage = Stage(text)
    stage.result(HTTP, 1, "192.0.2.10\nrefused\n")
    stage.engine.ack(HTTP, "dave", "mine", stage.now)
    other = again(stage, text, 60)
    state = other.engine.states[HTTP]
    assert (state.first_failure, state.ack_comment, state.is_running) == (EPOCH, "dave: mine", False)
    other.result(HTTP, 0)
    (up,) = other.calls()
    assert (up.kind, up.stdin) == (AlertKind.UP, b"192.0.2.10\nrefused\n")
    assert up.environment["MON_RECOVERED_HOSTS"] == "192.0.2.10"
    assert other.downtimes()[0].seconds == 60


@pytest.mark.parametrize("rule", ["numalerts 1", "alertevery 1h"])
def test_a_call_that_may_have_been_lost_is_made_again_once(rule: str) -> None:
    text = one_service(f"{rule}\n{BOTH}")
    stage = Stage(text)
    stage.result(HTTP, 1, "refused\n")
    assert len(stage.calls()) == 1
    for period in stage.engine.states[HTTP].periods.values():
        period.is_owed = True
    other = again(stage, text, 5)
    for _ in range(3):
        other.result(HTTP, 1, "refused\n")
    assert [call.kind for call in other.calls()] == [AlertKind.FAILURE]


@pytest.mark.parametrize(("seconds", "first"), [(2, 3), (4.5, 0.5), (5.5, 5), (1e6, 5), (-100, 5)])
def test_a_monitor_waits_for_the_rest_of_its_interval(seconds: float, first: float) -> None:
    text = one_service(BOTH)
    stage = Stage(text)
    stage.result(HTTP, 0)
    due = again(stage, text, seconds).engine.next_due()
    assert due == pytest.approx(50 + first)


def test_ten_thousand_restored_services_do_not_start_at_once() -> None:
    lines = (f"service s{number}\ninterval 10s\nmonitor x.monitor" for number in range(10_000))
    text = "\n".join(["hostgroup web a", "", "watch web", *lines, ""])
    config, scripts = parse(text), Stage("").scripts
    now = Moment(1000.0, float(EPOCH))
    engine = Engine(config, Random(1), now, known_scripts=scripts)  # noqa: S311
    for state in engine.states.values():
        state.last_check, state.op_status = EPOCH - 1000, Status.FAIL
    other = Engine(config, Random(1), now, known_scripts=scripts)  # noqa: S311
    other.restore(engine.states.values(), now)
    for tenth in range(1, 11):
        effects = other.tick(Moment(1000.0 + tenth, float(EPOCH)))
        assert 900 < sum(isinstance(one, StartMonitor) for one in effects) < 1100
        assert not [one for one in effects if isinstance(one, CallAlert)]


def test_failure_interval_is_in_force_again() -> None:
    text = one_service(BOTH, "failure_interval 1s")
    stage = Stage(text)
    stage.result(HTTP, 1)
    other = again(stage, text, 0.25)
    assert other.engine.states[HTTP].interval == 1
    assert other.engine.next_due() == pytest.approx(50.75)


def test_trapduration_goes_on() -> None:
    text = "hostgroup far a\n\nwatch far\nservice s\ntrapduration 10s\nperiod\nalert a.alert\nupalert a.alert\n"
    stage, key = Stage(text), Key("far", "s")
    stage.trap(key, 1)
    other = again(stage, text, 6)
    other.tick_until(3.5)
    assert other.calls() == []
    other.tick_until(4.5)
    assert other.timeline() == ["4 up"]


@pytest.mark.parametrize(("later", "alerts"), [(29, 0), (31, 1)])
def test_dep_memory_goes_on(later: float, alerts: int) -> None:
    text = f"{one_service(BOTH, 'depend web:root')}service root\ndep_memory 30s\nmonitor x.monitor\n"
    root, stage = Key("web", "root"), Stage(text)
    stage.result(root, 1)
    stage.sleep(1000)
    stage.result(root, 0)
    other = again(stage, text, later)
    other.result(HTTP, 1)
    assert len(other.calls()) == alerts


def test_a_reset_may_keep_what_is_known() -> None:
    """A reset that keeps states, with one service gone, one new, one changed."""
    before = "hostgroup web a *b c\n\nwatch web\n{}\n"
    http = "service http\ninterval 5s\nmonitor x.monitor\nperiod\nalert a.alert\n"
    stage = Stage(before.format(http + "service old\ninterval 5s\nmonitor x.monitor"))
    engine, old, new = stage.engine, Key("web", "old"), Key("web", "new")
    stage.result(HTTP, 1, "a")
    stage.run(old)
    engine.disable_hosts(["c"])
    engine.disable_watch("web")
    engine.disable_service(HTTP, "dave", stage.now)
    config = parse(before.format("service new\n" + http.replace("5s", "20s")))

    effects = stage.take(engine.reset(config, stage.now, keep=True))

    assert [one for one in effects if isinstance(one, StopMonitor)] == [StopMonitor(old)]
    assert list(engine.states) == [new, HTTP]
    state = engine.states[HTTP]
    assert (state.op_status, state.is_disabled, state.alert_count) == (Status.FAIL, True, 1)
    assert engine.hosts_of(HTTP) == ("a",)
    assert engine.group_disabled("web")
    assert [one.summary for one in engine.failure_history] == ["a"]
    assert engine.finished(old, Outcome(1, b""), stage.now) == []
    assert engine.timer(HTTP, stage.now) == 20


def test_a_plain_reset_forgets_services_and_nothing_else() -> None:
    text = one_service(f"startupalert a.alert\n{BOTH}")
    stage = Stage(text)
    stage.result(HTTP, 1)
    stage.engine.disable_service(HTTP, "dave", stage.now)
    stage.engine.disable_hosts(["192.0.2.10"])
    stage.engine.stop(stage.now)
    stage.sleep(100)
    stage.take(stage.engine.reset(stage.engine.config, stage.now, keep=False))
    state = stage.engine.states[HTTP]
    assert (state.op_status, state.is_disabled, state.consec_failures) == (Status.UNTESTED, False, 0)
    assert stage.engine.stopped_since == EPOCH
    assert stage.engine.next_due() is None
    assert stage.engine.hosts_of(HTTP) == ("192.0.2.11",)
    assert AlertKind.STARTUP not in [one.kind for one in stage.calls()]


@pytest.mark.parametrize("wanted", [True, False])
def test_startup_alerts_on_reset_if_wanted(wanted: bool) -> None:
    text = f"startupalerts_on_reset = {'yes' if wanted else 'no'}\n" + one_service("startupalert a.alert hello")
    stage = Stage(text)
    stage.take(stage.engine.reset(stage.engine.config, stage.now, keep=False))
    assert [one.arguments[8:] for one in stage.calls()] == [("hello",)] * wanted


def test_a_reset_may_stop_the_scheduler() -> None:
    stage = Stage(one_service(BOTH))
    stage.engine.reset(stage.engine.config, stage.now, keep=True, stopped=True)
    assert stage.engine.why_not_started(HTTP, stage.now) == "the scheduler is stopped"
    stage.engine.resume(stage.now)
    assert len(stage.tick_until(5)) == 1
