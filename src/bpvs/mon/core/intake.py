# SPDX-License-Identifier: GPL-2.0-or-later
"""What one result does, of a monitor, a trap or a trap that did not come: state, alerts, histories, dependents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind
from bpvs.mon.core import results
from bpvs.mon.core.calls import brief
from bpvs.mon.core.judge import Case
from bpvs.mon.core.schedule import Timer
from bpvs.mon.core.values import Log
from bpvs.mon.core.world import FAILING
from bpvs.text.mon.histories import Downtime, Failure

if TYPE_CHECKING:
    from bpvs.model.mon import Key
    from bpvs.mon.core.alerts import Alerts
    from bpvs.mon.core.depend import Dependencies
    from bpvs.mon.core.launcher import Launcher
    from bpvs.mon.core.results import Result
    from bpvs.mon.core.schedule import Schedule
    from bpvs.mon.core.values import Effect, Moment, ServiceState
    from bpvs.mon.core.world import World


class Intake:
    """Where results of any origin come in."""

    def __init__(
        self, world: World, alerts: Alerts, dependencies: Dependencies, launcher: Launcher, schedule: Schedule
    ) -> None:
        self._world = world
        self._alerts = alerts
        self._dependencies = dependencies
        self._launcher = launcher
        self._schedule = schedule

    def process(self, key: Key, result: Result, now: Moment) -> list[Effect]:
        """One result of any origin, in mon's order: it is noted, people are told, and only then it is the last one."""
        state = self._world.states[key]
        self._schedule.cancel(Timer.CLEAR, key)
        was_failing = state.op_status in FAILING
        state.exitval = result.status
        effects = self._failure(state, result, now) if result.status else self._success(state, result, now)
        state.last_output = result.output
        if was_failing != (state.op_status in FAILING):
            self._launcher.dependencies_changed()
        return effects

    def _failure(self, state: ServiceState, result: Result, now: Moment) -> list[Effect]:
        key, epoch = state.key, int(now.epoch)
        results.note_failure(state, result, now)
        self._world.failure_history.append(Failure(key, epoch, brief(result.summary)))
        recovered = results.compare_hosts(state, result, self._hosts(key), now)
        case = Case(result.kind, state, result.status, result.output, now, tuple(state.host_failures), recovered)
        effects: list[Effect] = [Log("crit", f"failure for {key.group} {key.service} {epoch} {brief(result.summary)}")]
        effects += self._alerts.tell(case, result.output)
        state.failure_output = result.output
        return effects

    def _success(self, state: ServiceState, result: Result, now: Moment) -> list[Effect]:
        key = state.key
        _, effects = self._alerts.look_at_dependency(state, now)
        was_failing = state.op_status in FAILING
        if was_failing:
            effects.append(self._downtime(state, now))
        results.note_success(state, now)
        recovered = results.compare_hosts(state, result, self._hosts(key), now)
        case = Case(AlertKind.UP, state, 0, result.output, now, (), recovered)
        if was_failing:
            effects += self._alerts.tell(case, state.failure_output or b"")
        else:
            effects += self._alerts.redistribute(case, state.last_output or b"")
        results.end_outage(state, result, now, self._world.service(key))
        if was_failing:
            self.recovered(key, now)
        return effects

    def recovered(self, key: Key, now: Moment) -> None:
        """An outage is over: others may go on now, or when dep_memory has forgotten it."""
        self._dependencies.note_recovery(key, now)
        self.remember_recovery(key, now)

    def _hosts(self, key: Key) -> tuple[str, ...]:
        return self._world.config.hostgroups[key.group].hosts

    def _downtime(self, state: ServiceState, now: Moment) -> Downtime:
        ended, began = int(now.epoch), state.first_failure
        interval = int(self._world.interval_of(state.key) or 0)
        return Downtime(state.key, ended, began, max(0, ended - began), interval, brief(state.last_summary))

    def remember_recovery(self, key: Key, now: Moment) -> None:
        """Look at those who rely on this service when a dep_memory forgets that it failed."""
        self._launcher.dependencies_changed()
        seconds = self._dependencies.seconds_remembered(key, now)
        if seconds is not None:
            self._schedule.set(Timer.RECOVERED, key, self._schedule.time(now) + seconds)
