# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for the monitor daemon's decisions whatever happens in whatever order."""

from __future__ import annotations

import copy
import math
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core.schedule import Schedule, Timer
from bpvs.mon.core.values import CallAlert, Moment, Outcome, StartMonitor, Trap
from tests.unit.mon.core.stage import HTTP, Stage, one_service

if TYPE_CHECKING:
    from bpvs.mon.core.values import Effect

TWO = "alert a.alert\nupalert a.alert"
PERIODS = st.sampled_from(
    [
        TWO,
        f"alertafter 2\n{TWO}",
        f"alertafter 7s\n{TWO}",
        f"alertafter 2 7s\n{TWO}",
        f"alertevery 9s\n{TWO}",
        f"alertevery 9s observe_detail\n{TWO}",
        f"alertevery 9s ignore_summary\n{TWO}",
        f"alertevery 30s strict\n{TWO}",
        f"numalerts 2\n{TWO}",
        f"alertexitrange 2-3\n{TWO}",
        f"upalertafter 6s\n{TWO}",
        f"{TWO}\nperiod two:\nalertafter 3\n{TWO}",
    ]
)
RESULTS = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([0, 0, 1, 1, 1, 2]), st.sampled_from(["a", "b", "a\nx"])),
    max_size=25,
)


def services(count: int, maxprocs: int, *, interval: int = 5) -> str:
    lines = (f"service s{number}\ninterval {interval}s\nmonitor x.monitor" for number in range(count))
    return "\n".join([f"maxprocs = {maxprocs}", "hostgroup web a", "", "watch web", *lines, ""])


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("sleep"), st.floats(0, 12)),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("test"), st.integers(0, 5)),
        st.tuples(st.just("clear"), st.integers(0, 5)),
        st.tuples(st.just("trap"), st.integers(0, 5)),
        st.tuples(st.just("step"), st.floats(-1e6, 1e6)),
        st.tuples(st.sampled_from(["stop", "resume", "reset"]), st.just(0)),
    ),
    max_size=40,
)


def happen(stage: Stage, event: str, number: float) -> list[Effect]:
    """One event; the service that it is about is picked by its number."""
    engine, keys = stage.engine, list(stage.engine.states)
    key = keys[int(number) % len(keys)]
    effects: list[Effect] = []
    match event:
        case "sleep":
            stage.sleep(number)
        case "step":
            stage.step_wall_clock(number)
        case "finish" | "fail":
            effects = engine.finished(key, Outcome(int(event == "fail"), b"a"), stage.now)
        case "test":
            engine.test_monitor(key, stage.now)
        case "clear":
            engine.clear_timers(key, stage.now)
        case "trap":
            effects = engine.trap(Trap(key, int(number) % 2, "t", "", "192.0.2.1"), stage.now)
        case "stop":
            engine.stop(stage.now)
        case "resume":
            engine.resume(stage.now)
        case "reset":
            effects = engine.reset(engine.config, stage.now, keep=True)
    return stage.take(effects)


@given(events=EVENTS, maxprocs=st.integers(1, 4))
def test_no_overlap_no_more_than_maxprocs_and_no_start_while_stopped(
    events: list[tuple[str, float]], maxprocs: int
) -> None:
    stage = Stage(services(6, maxprocs))
    for event, number in events:
        happen(stage, event, number)
        before = set(stage.engine.running())
        started = [one.key for one in stage.tick()]
        assert len(set(started)) == len(started)
        assert not before & set(started)
        assert before | set(started) == set(stage.engine.running())
        assert len(stage.engine.running()) <= maxprocs
        assert not started or stage.engine.stopped_since is None
        assert not [one for one in stage.engine.tick(stage.now) if isinstance(one, StartMonitor)]


@given(events=EVENTS)
def test_every_service_is_tested_again_sooner_or_later(events: list[tuple[str, float]]) -> None:
    stage = Stage(services(6, 2))
    for event, number in events:
        happen(stage, event, number)
        stage.tick()
    stage.engine.resume(stage.now)
    waiting = set(stage.engine.states)
    for _ in range(40):
        for key in stage.engine.running():
            stage.take(stage.engine.finished(key, Outcome(0, b""), stage.now))
        waiting -= {one.key for one in stage.tick()}
        stage.sleep(1)
    assert not waiting


@given(count=st.integers(1, 30), maxprocs=st.integers(1, 5), run=st.floats(0.1, 4))
def test_no_service_starves(count: int, maxprocs: int, run: float) -> None:
    """With more work than time, each monitor starts once in every round of all."""
    stage = Stage(services(count, maxprocs, interval=1))
    stage.sleep(1)
    bound = math.ceil(count / maxprocs) * run + 1 + run
    last = dict.fromkeys(stage.engine.states, stage.seconds)
    for _ in range(3 * math.ceil(count / maxprocs) + 3):
        for key in stage.engine.running():
            stage.take(stage.engine.finished(key, Outcome(0, b""), stage.now))
        for one in stage.tick():
            last[one.key] = stage.seconds
        stage.sleep(run)
        assert stage.seconds - min(last.values()) <= bound + 1e-6


@given(runs=st.lists(st.floats(0, 40), min_size=1, max_size=20), seed=st.integers(0, 9))
def test_runs_keep_their_phase_however_long_they_take(runs: list[float], seed: int) -> None:
    stage = Stage("randstart = 5s\n" + one_service(TWO), seed=seed)
    starts = []
    for run in runs:
        due = stage.engine.next_due()
        assert due is not None
        stage.sleep(due - stage.now.clock)
        assert [one.key for one in stage.tick()] == [HTTP]
        starts.append(stage.seconds)
        stage.sleep(run)
        stage.result(HTTP, 0)
    for (start, run), following in zip(zip(starts, runs, strict=True), starts[1:], strict=False):
        intervals = (following - start) / 5
        assert abs(intervals - round(intervals)) < 1e-6
        assert run - 1e-6 < following - start <= run + 5 + 1e-6


@given(jumps=st.lists(st.tuples(st.floats(-1e7, 1e7), st.floats(0, 7)), max_size=20))
def test_the_wall_clock_moves_no_due_time(jumps: list[tuple[float, float]]) -> None:
    text = one_service(f"alertevery 20s\nalertafter 2 15s\nupalertafter 9s\n{TWO}", "traptimeout 11s\ntrapduration 13s")
    steady, jumping = Stage(text), Stage(text)
    for number, (jump, seconds) in enumerate(jumps):
        jumping.step_wall_clock(jump)
        started = []
        for stage in (steady, jumping):
            stage.sleep(seconds)
            started.append([one.key for one in stage.tick()])
            if stage.engine.states[HTTP].is_running:
                stage.result(HTTP, int(number % 4 != 3), "a")
        assert started[0] == started[1]
        assert steady.engine.next_due() == jumping.engine.next_due()
    assert [(second, one.kind) for second, one in steady.effects if isinstance(one, CallAlert)] == [
        (second, one.kind) for second, one in jumping.effects if isinstance(one, CallAlert)
    ]


@given(period=PERIODS, results=RESULTS)
def test_upalerts_follow_alerts_of_the_same_period_one_for_one(
    period: str, results: list[tuple[int, int, str]]
) -> None:
    stage = Stage(one_service(period))
    told: dict[str, AlertKind] = {}
    for seconds, status, output in results:
        stage.sleep(seconds)
        before = copy.deepcopy(stage.engine.states[HTTP].periods)
        calls = [one for one in stage.result(HTTP, status, output) if isinstance(one, CallAlert)]
        after = stage.engine.states[HTTP].periods
        for name in after:
            if status and after[name].alert_sent > before[name].alert_sent:
                told[name] = AlertKind.FAILURE
        ups = [one for one in calls if one.kind is AlertKind.UP]
        assert len(ups) <= sum(kind is AlertKind.FAILURE for kind in told.values())
        assert {one.kind for one in calls} <= {AlertKind.FAILURE if status else AlertKind.UP}
        if not status:
            told.clear()


@given(period=PERIODS, results=RESULTS)
def test_a_success_clears_the_outage(period: str, results: list[tuple[int, int, str]]) -> None:
    stage = Stage(one_service(period))
    for seconds, status, output in results:
        stage.sleep(seconds)
        stage.result(HTTP, status, output)
        if status and stage.engine.states[HTTP].consec_failures == 2:
            stage.take(stage.engine.ack(HTTP, "somebody", "on it", stage.now))
    stage.result(HTTP, 0, "fine")
    state = stage.engine.states[HTTP]
    assert (state.op_status, state.consec_failures, state.first_failure, state.last_failure) == (Status.OK, 0, 0, 0)
    assert (state.ack, state.ack_comment, state.failure_output, state.host_failures) == (0, "", None, {})
    assert [memory.alert_sent for memory in state.periods.values()] == [0] * len(state.periods)


@given(period=PERIODS, before=RESULTS, after=RESULTS, acked=st.booleans())
def test_a_daemon_that_was_restarted_calls_what_it_would_have_called(
    period: str, before: list[tuple[int, int, str]], after: list[tuple[int, int, str]], acked: bool
) -> None:
    """So no alert is repeated and none is lost, whenever it is killed."""
    stage = Stage(one_service(period))
    for seconds, status, output in before:
        stage.sleep(seconds)
        stage.result(HTTP, status, output)
    if acked and stage.engine.states[HTTP].op_status == Status.FAIL:
        stage.engine.ack(HTTP, "somebody", "on it", stage.now)

    again = Stage(one_service(period), at=7.0)
    again.now = Moment(7.0, stage.now.epoch)
    assert again.engine.restore(copy.deepcopy(list(stage.engine.states.values())), again.now) == []
    for seconds, status, output in after:
        calls = []
        for one in (stage, again):
            one.sleep(seconds)
            effects = one.result(HTTP, status, output)
            calls.append([effect for effect in effects if isinstance(effect, CallAlert)])
        assert calls[0] == calls[1]


@given(count=st.integers(1, 2000), interval=st.integers(1, 100))
def test_first_runs_are_spread_evenly(count: int, interval: int) -> None:
    """No tenth of the interval has many more than its share of them; the first service has the whole interval."""
    schedule, now = Schedule(Random(1)), Moment(1000.0, 0.0)  # noqa: S311
    tenths = [0] * 10
    for number in range(count):
        schedule.first_run(Key("web", str(number)), interval, None, now)
        due = schedule.due(Timer.MONITOR, Key("web", str(number)))
        assert due is not None
        tenths[math.ceil(10 * (due - 1000) / interval) - 1] += 1
    assert max(tenths) <= count / 10 + 3
    assert schedule.due(Timer.MONITOR, Key("web", "0")) == 1000 + interval
