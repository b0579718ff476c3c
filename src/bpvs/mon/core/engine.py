# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine: one configuration, the state of every service, and what is to be done at each event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core import results
from bpvs.mon.core.alerts import Alerts
from bpvs.mon.core.depend import Dependencies
from bpvs.mon.core.errors import NotFailing, UnknownName
from bpvs.mon.core.intake import Intake
from bpvs.mon.core.judge import Case
from bpvs.mon.core.launcher import Launcher
from bpvs.mon.core.restore import adopt, recovery
from bpvs.mon.core.schedule import Schedule, Timer
from bpvs.mon.core.values import StopMonitor
from bpvs.mon.core.world import FAILING, World, starred

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from bpvs.model.mon import Config
    from bpvs.mon.core.values import Effect, Moment, Outcome, ServiceState, Trap
    from bpvs.mon.core.world import Scripts

_STOPPED = "stopped"


class Engine(World):
    """The world, and what happens in it.

    Every method that takes a moment returns the effects, in order, unless its docstring says otherwise. Nothing here
    blocks, reads a clock or raises for bad luck. Methods that take names raise UnknownName when there is no such group,
    service or period. After each event `next_due` may have changed.
    """

    def __init__(
        self, config: Config, random: Random, now: Moment, *, known_scripts: Scripts, stopped: bool = False
    ) -> None:
        super().__init__(config, known_scripts)
        self._random = random
        self._schedule = Schedule(random)
        self._build(now)
        if stopped:
            self.stop(now)

    def _build(self, now: Moment) -> None:
        """What follows from the configuration and the states."""
        dependencies = Dependencies(self)
        self._alerts = Alerts(self, dependencies)
        self._launcher = Launcher(self, dependencies, self._schedule)
        self._intake = Intake(self, self._alerts, dependencies, self._launcher, self._schedule)
        self._launcher.plan_all(now)
        for key, service in self.config.services.items():
            if service.trap_timeout:
                self._schedule.set(Timer.HEARTBEAT, key, self._schedule.time(now) + service.trap_timeout)

    # Time and results

    def start(self, now: Moment) -> list[Effect]:
        """Startup alerts."""
        effects: list[Effect] = []
        for state in self.states.values():
            effects += self._alerts.tell(Case(AlertKind.STARTUP, state, 0, b"", now), b"")
        return effects

    def next_due(self) -> float | None:
        """`Moment.clock` at which `tick` has something to do, perhaps in the past; None: only an event changes that."""
        return self._launcher.next_due()

    def tick(self, now: Moment) -> list[Effect]:
        """Whatever is due by now: monitors to start, heartbeats missed, trap durations over."""
        if self.stopped_since is not None:
            return []
        self._launcher.look_at_calendars(now)
        if self._schedule.frozen:
            return []
        effects: list[Effect] = []
        for timer, key, due in self._schedule.pop(now):
            match timer:
                case Timer.MONITOR:
                    self._launcher.enqueue(key, due)
                case Timer.HEARTBEAT:
                    effects += self._heartbeat_missed(key, now)
                case Timer.CLEAR:
                    effects += self._intake.process(key, results.of_expiry(self.states[key]), now)
                case Timer.RECOVERED:
                    self._intake.remember_recovery(key, now)
        return effects + self._launcher.launch(now)

    def finished(self, key: Key, outcome: Outcome, now: Moment) -> list[Effect]:
        """A monitor's result. One that nobody waits for (its service is gone) changes nothing."""
        state = self.states.get(key)
        if state is None or not state.is_running:
            return []
        self._launcher.ended(key)
        state.duration = round(outcome.duration)
        effects = self._intake.process(key, results.of_monitor(outcome), now)
        if self._switch_interval(state, failed=outcome.status != 0):
            self._launcher.wait_anew(key, now)
        else:
            self._launcher.plan_next(key, now)
        return effects

    def trap(self, trap: Trap, now: Moment) -> list[Effect]:
        """A trap that was authorised and whose key exists."""
        service, state = self.service(trap.key), self.states[trap.key]
        state.last_trap, state.last_traphost, state.trap_intended = int(now.epoch), trap.sender, trap.intended
        time = self._schedule.time(now)
        if service.trap_timeout:
            self._schedule.set(Timer.HEARTBEAT, trap.key, time + service.trap_timeout)
        effects = self._intake.process(trap.key, results.of_trap(trap), now)
        if service.trap_duration and trap.status:
            self._schedule.set(Timer.CLEAR, trap.key, time + service.trap_duration)
        return effects

    def _heartbeat_missed(self, key: Key, now: Moment) -> list[Effect]:
        patience = self.config.services[key].trap_timeout or 0
        self._schedule.set(Timer.HEARTBEAT, key, self._schedule.time(now) + patience)
        return self._intake.process(key, results.of_silence(patience, now), now)

    def _switch_interval(self, state: ServiceState, *, failed: bool) -> bool:
        """Whether failure_interval begins or ends with this result."""
        other = self.config.services[state.key].failure_interval
        if not other or failed == (state.interval == other):
            return False
        state.interval = other if failed else None
        return True

    # What clients command

    def ack(self, key: Key, user: str, comment: str, now: Moment) -> list[Effect]:
        """Somebody looks after a failure: no more alerts of it. NotFailing if there is none."""
        self.service(key)
        state = self.states[key]
        if state.op_status not in FAILING:
            raise NotFailing
        state.ack, state.ack_comment = int(now.epoch), f"{user}: {comment}"
        stdin = state.ack_comment.encode("utf-8", "surrogateescape")
        return self._alerts.tell(Case(AlertKind.ACK, state, 0, stdin, now), stdin)

    def disable_watch(self, group: str) -> None:
        """Suppress the alerts of a group."""
        self._require_group(group)
        self.disabled_watches.add(group)

    def enable_watch(self, group: str) -> None:
        """Let the alerts of a group through again."""
        self._require_group(group)
        self.disabled_watches.discard(group)

    def _require_group(self, group: str) -> None:
        if not self.watched(group):
            raise UnknownName(f'unknown watch "{group}"')

    def disable_service(self, key: Key, user: str, now: Moment) -> list[Effect]:
        """Suppress the alerts of a service, and tell that by its disablealerts."""
        self.service(key)
        state = self.states[key]
        if state.is_disabled:
            return []
        state.is_disabled = True
        stdin = user.encode("utf-8", "surrogateescape")
        return self._alerts.tell(Case(AlertKind.DISABLE, state, 0, stdin, now), stdin)

    def enable_service(self, key: Key) -> None:
        """Let the alerts of a service through again."""
        self.service(key)
        self.states[key].is_disabled = False

    def disable_hosts(self, hosts: Iterable[str]) -> list[str]:
        """Take hosts out of every group; returns those that no group has, and if there are any, nothing has changed.

        A watch whose only host is taken out is disabled with it.
        """
        groups = {host: self.groups_of(host) for host in hosts}
        unknown = [host for host, found in groups.items() if not found]
        if unknown:
            return unknown
        for host, found in groups.items():
            self.disabled_hosts |= {(group, host) for group in found}
            self.disabled_watches |= self._watches_of_only(host, found)
        return []

    def enable_hosts(self, hosts: Iterable[str]) -> None:
        """Put hosts back into every group, and enable the watches of which they are the only host."""
        for host in hosts:
            groups = self.groups_of(host)
            self.disabled_hosts -= {(group, host) for group in groups}
            self.disabled_watches -= self._watches_of_only(host, groups)

    def _watches_of_only(self, host: str, groups: Iterable[str]) -> set[str]:
        return {group for group in groups if self.config.hostgroups[group].hosts == (host,) and self.watched(group)}

    def test_monitor(self, key: Key, now: Moment) -> None:
        """Due at the next tick, or once more when the run that goes on is over; later runs are planned from there."""
        self.service(key)
        self._launcher.run_now(key, now)

    def test_alert(self, kind: AlertKind, key: Key, status: int, period: str, now: Moment) -> list[Effect]:
        """Calls of one period's scripts of a kind, with a result that never was."""
        chosen = self.period(key, period)
        text = b"test\ntest detail\n"
        return self._alerts.test(chosen, Case(kind, self.states[key], status, text, now), text)

    def clear_timers(self, key: Key, now: Moment) -> None:
        """Forget what was counted and when it was told, and wait whole intervals again."""
        service, state = self.service(key), self.states[key]
        state.consec_failures = 0
        for memory in state.periods.values():
            memory.clear_timers()
        if service.trap_timeout:
            self._schedule.set(Timer.HEARTBEAT, key, self._schedule.time(now) + service.trap_timeout)
        self._launcher.wait_anew(key, now)

    def set_status(self, key: Key, status: Status, now: Moment) -> None:
        """A status by decree; nobody is told. An outage begins or ends with it like with any result."""
        self.service(key)
        state = self.states[key]
        was_failing = state.op_status in FAILING
        results.turn(state, status, now)
        if was_failing and status not in FAILING:
            results.forget_outage(state, self.service(key))
            self._intake.recovered(key, now)
        self._launcher.dependencies_changed()

    def stop(self, now: Moment) -> None:
        """No monitor is started, no timer goes on, no alert is sent, until `resume`."""
        if self.stopped_since is None:
            self.stopped_since = int(now.epoch)
            self._schedule.freeze(_STOPPED, now)

    def resume(self, now: Moment) -> None:
        """Go on where `stop` stopped."""
        self.stopped_since = None
        self._schedule.thaw(_STOPPED, now)

    # Another configuration, an earlier state

    def reset(
        self,
        config: Config,
        now: Moment,
        *,
        keep: bool,
        stopped: bool = False,
        known_scripts: Scripts | None = None,
    ) -> list[Effect]:
        """Another configuration, which has been found good; `keep`: state of what is in both stays.

        Disabled hosts and watches, the histories and a stopped scheduler stay anyway.
        """
        effects: list[Effect] = [StopMonitor(key) for key, state in self.states.items() if state.is_running]
        before = self.states
        disabled = self.disabled_hosts | starred(config)
        watches, since = self.disabled_watches, self.stopped_since
        failures, alerts = self.failure_history, self.alert_history
        super().__init__(config, known_scripts or self.scripts)
        self.disabled_hosts = {(name, host) for name, host in disabled if host in self._members(name)}
        self.disabled_watches = {group for group in watches if self.watched(group)}
        self.failure_history.extend(failures)
        self.alert_history.extend(alerts)
        self._schedule = Schedule(self._random)
        self._build(now)
        if keep:
            self.restore(before.values(), now)
        if stopped or since is not None:
            self.stop(now)
            self.stopped_since = since or self.stopped_since
        if config.settings.startupalerts_on_reset:
            effects += self.start(now)
        return effects

    def restore(self, states: Iterable[ServiceState], now: Moment) -> list[Key]:
        """Go on from an earlier state, of another run of the daemon or another configuration; returns unknown services.

        Outages, acknowledgements and what was told of them go on; no alert is sent for what was told before. A monitor
        whose interval has not passed since its last run waits for the rest of it.
        """
        unknown = []
        for old in states:
            if old.key not in self.states:
                unknown.append(old.key)
                continue
            state = adopt(old, self.states[old.key], now)
            self.states[old.key] = state
            if state.op_status in FAILING:
                self._switch_interval(state, failed=True)
                self._restore_duration(state, now)
            ended = recovery(state, now)
            if ended:
                self._intake.recovered(old.key, ended)
            self._launcher.plan_restored(old.key, now)
        return unknown

    def _restore_duration(self, state: ServiceState, now: Moment) -> None:
        """Go on waiting for the end of trapduration, if it was a trap that told of the failure."""
        duration = self.config.services[state.key].trap_duration
        if duration and state.last_trap >= state.last_failure:
            rest = max(0.0, min(duration, state.last_trap + duration - now.epoch))
            self._schedule.set(Timer.CLEAR, state.key, self._schedule.time(now) + rest)

    def _members(self, group: str) -> tuple[str, ...]:
        return self.config.hostgroups[group].hosts if group in self.config.hostgroups else ()

    # Queries

    def timer(self, key: Key, now: Moment) -> int:
        """Seconds until the monitor is due, 0 if it is due or running, or if no monitor is ever due."""
        return self._remaining(Timer.MONITOR, key, now)

    def trap_timer(self, key: Key, now: Moment) -> int:
        """Seconds until a trap is missed, 0 if none is expected."""
        return self._remaining(Timer.HEARTBEAT, key, now)

    def _remaining(self, timer: Timer, key: Key, now: Moment) -> int:
        self.service(key)
        due = self._schedule.due(timer, key)
        return 0 if due is None else max(0, round(due - self._schedule.time(now)))

    def running(self) -> list[Key]:
        """The services whose monitor runs now, in the file's order."""
        return [key for key, state in self.states.items() if state.is_running]

    def why_not_started(self, key: Key, now: Moment) -> str | None:
        """What keeps the monitor of this service from being started; None: nothing but that it is not due yet."""
        self.service(key)
        if self.stopped_since is not None:
            return "the scheduler is stopped"
        return self._launcher.obstacle(key, now)
