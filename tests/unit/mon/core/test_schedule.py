# SPDX-License-Identifier: GPL-2.0-or-later
"""When monitors start: intervals, their phase, and what holds them back."""

from __future__ import annotations

import pytest

from bpvs.model.mon import Key
from bpvs.mon.core.values import StartMonitor
from tests.unit.mon.core.stage import EPOCH, HTTP, Stage, one_service


def many(count: int, interval: str = "10s", settings: str = "") -> str:
    services = (f"service s{number}\ninterval {interval}\nmonitor x.monitor" for number in range(count))
    return "\n".join([settings, "hostgroup web 192.0.2.10", "", "watch web", *services, ""])


def test_the_first_run_is_one_interval_after_the_start_and_the_next_keep_its_phase() -> None:
    stage = Stage(one_service("alert a.alert"))
    seconds = []
    for _ in range(4):
        (start,) = stage.tick_until(_until(stage))
        assert start.key == HTTP
        seconds.append(stage.seconds)
        stage.sleep(1.7)
        stage.result(HTTP, 0)
    assert seconds == pytest.approx([5, 10, 15, 20])


def _until(stage: Stage) -> float:
    due = stage.engine.next_due()
    assert due is not None
    return due - stage.began


def test_a_late_run_does_not_pile_up() -> None:
    stage = Stage(one_service("alert a.alert"))
    stage.tick_until(5)
    stage.sleep(12)
    stage.result(HTTP, 0)
    stage.tick_until(30.5)
    assert [second for second, one in stage.effects if isinstance(one, StartMonitor)] == pytest.approx([5, 20])


def test_runs_of_one_service_do_not_overlap() -> None:
    stage = Stage(one_service("alert a.alert"))
    assert len(stage.tick_until(100)) == 1


def test_first_runs_are_spread_over_the_interval() -> None:
    stage = Stage(many(100))
    for second in range(1, 11):
        assert 8 <= len(stage.tick_until(second)) <= 12


def test_randstart_spreads_first_runs_over_its_time() -> None:
    stage = Stage(many(100, "1h", "randstart = 60s"))
    assert 30 < len(stage.tick_until(30)) < 70
    assert len(stage.tick_until(60)) > 30


def test_randskew_moves_a_run_about_its_planned_time() -> None:
    stage = Stage(one_service("alert a.alert", "randskew 2s"))
    seconds = []
    for _ in range(200):
        stage.tick_until(_until(stage))
        seconds.append(stage.seconds)
        stage.result(HTTP, 0)
    offsets = [second - 5 * (number + 1) for number, second in enumerate(seconds)]
    assert all(-2 <= offset <= 2 for offset in offsets)
    assert min(offsets) < -1 < 1 < max(offsets)


def test_failure_interval_holds_while_the_monitor_fails() -> None:
    stage = Stage(one_service("alert a.alert", "failure_interval 1s"))
    stage.tick_until(5)
    stage.result(HTTP, 1)
    assert stage.engine.timer(HTTP, stage.now) == 1
    assert stage.engine.states[HTTP].interval == 1
    stage.tick_until(6)
    stage.result(HTTP, 1)
    stage.tick_until(7)
    stage.result(HTTP, 0)
    assert stage.engine.states[HTTP].interval is None
    assert stage.engine.timer(HTTP, stage.now) == 5


def test_maxprocs_starts_the_longest_due_first_and_says_so_once() -> None:
    stage = Stage(many(5, "10s", "maxprocs = 2"))
    due = [key for _, key in sorted((stage.engine.timer(key, stage.now), key.service) for key in stage.engine.states)]
    stage.sleep(10)
    started = stage.tick()
    assert len(started) == 2
    while len(started) < 5:
        assert stage.tick() == []
        stage.result(started[-1].key, 0)
        started += stage.tick()
    assert [one.key.service for one in started] == due
    assert stage.logs("info") == ["throttled at 2 processes"]


def test_a_service_in_its_exclude_period_starts_when_that_ends() -> None:
    stage = Stage(one_service("alert a.alert", f"exclude_period sec {{0-{59 - 10}}}"))
    stage.step_wall_clock(-(EPOCH % 60))
    assert stage.tick_until(49) == []
    assert stage.engine.why_not_started(HTTP, stage.now) is not None
    assert len(stage.tick_until(51)) == 1


def test_the_exclude_period_of_all_lets_every_timer_rest() -> None:
    stage = Stage("exclude_period = sec {0-29}\n" + one_service("alert a.alert", "traptimeout 10s"))
    stage.step_wall_clock(-(EPOCH % 60))
    assert stage.tick_until(29) == []
    assert stage.calls() == []
    assert len(stage.tick_until(36)) == 1


def test_stopped_nothing_goes_on() -> None:
    stage = Stage(one_service("alert a.alert"))
    stage.sleep(3)
    stage.engine.stop(stage.now)
    assert stage.engine.next_due() is None
    stage.sleep(100)
    assert stage.engine.timer(HTTP, stage.now) == 2
    assert stage.tick() == []
    stage.engine.resume(stage.now)
    assert stage.tick_until(104) == []
    assert len(stage.tick_until(105)) == 1


def test_the_wall_clock_moves_no_check() -> None:
    stage = Stage(one_service("alert a.alert"))
    for jump in (3600.0, -86400.0):
        due = stage.engine.next_due()
        stage.step_wall_clock(jump)
        assert stage.engine.next_due() == due
        assert stage.engine.timer(HTTP, stage.now) == 5


def test_a_test_runs_at_once_and_the_rest_follows_from_it() -> None:
    stage = Stage(one_service("alert a.alert"))
    stage.sleep(1)
    stage.engine.test_monitor(HTTP, stage.now)
    assert len(stage.tick()) == 1
    stage.engine.test_monitor(HTTP, stage.now)
    assert stage.tick() == []
    stage.result(HTTP, 0)
    assert len(stage.tick()) == 1
    stage.result(HTTP, 0)
    assert len(stage.tick_until(6.1)) == 1


@pytest.mark.parametrize(
    ("service", "missing", "hosts", "complaint"),
    [
        ("", ["http.monitor"], [], "there is no monitor 'http.monitor' in mondir"),
        ("", [], ["192.0.2.10", "192.0.2.11"], "no hosts are left"),
    ],
)
def test_what_cannot_run_is_told_once(service: str, missing: list[str], hosts: list[str], complaint: str) -> None:
    stage = Stage(one_service("alert a.alert", service), missing=missing)
    stage.engine.disable_hosts(hosts)
    assert stage.tick_until(15) == []
    assert stage.logs("err") == [f"web/http is not tested: {complaint}"]
    assert stage.engine.why_not_started(HTTP, stage.now) == complaint


def test_an_empty_group_may_be_allowed() -> None:
    stage = Stage(one_service("alert a.alert", "allow_empty_group"))
    stage.engine.disable_hosts(["192.0.2.10", "192.0.2.11"])
    (start,) = stage.tick_until(5)
    assert start.hosts == ()


def test_hosts_taken_out_and_excluded_are_not_tested() -> None:
    stage = Stage(one_service("alert a.alert", "exclude_hosts 192.0.2.11"))
    (start,) = stage.tick_until(5)
    assert (start.words, start.hosts) == (("http.monitor", "-p", "80"), ("192.0.2.10",))


def test_a_service_without_interval_waits_for_traps_only() -> None:
    stage = Stage("hostgroup web a\n\nwatch web\nservice t\nperiod\nalert a.alert\n")
    assert stage.engine.next_due() is None
    assert stage.engine.why_not_started(Key("web", "t"), stage.now) == "it has no interval"
