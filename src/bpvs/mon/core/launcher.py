# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the monitors that are due are started: calendars, dependencies, hosts, and no more than maxprocs at once."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from bpvs.model.mon import Behaviour
from bpvs.mon.core.calls import monitor_environment
from bpvs.mon.core.depend import EndlessDependency
from bpvs.mon.core.schedule import Timer
from bpvs.mon.core.values import Log, StartMonitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpvs.model.mon import Key
    from bpvs.mon.core.depend import Dependencies
    from bpvs.mon.core.schedule import Schedule
    from bpvs.mon.core.values import Effect, Moment
    from bpvs.mon.core.world import World

DEFAULT_TIMEOUT = 300.0  # seconds; of monitors, unless the interval is longer
_EXCLUDED = "excluded"


class Launcher:
    """Everything between "due" and "started".

    A monitor that is due and held back keeps its due time, and is started as soon as what held it back is gone; those
    that wait for maxprocs are started in the order in which they were due.
    """

    def __init__(self, world: World, dependencies: Dependencies, schedule: Schedule) -> None:
        self._world = world
        self._dependencies = dependencies
        self._schedule = schedule
        self._rank = {key: rank for rank, key in enumerate(world.states)}
        self._limit = world.config.settings.maxprocs or inf
        self._running = 0
        self._again: set[Key] = set()
        self._waiting: dict[Key, float] = {}  # due and not started
        self._ready: list[tuple[float, int, Key]] = []  # heap of those that nothing but maxprocs holds back
        self._by_calendar: dict[str, list[Key]] = {}
        self._by_dependency: dict[Key, None] = {}
        self._moved = False
        self._throttled = False
        self._complaints: dict[Key, str] = {}  # what was last said of those that cannot be run
        self._looked: int | None = None  # second of the wall clock
        self._next_look = -inf  # Moment.clock

    # Planning

    def plan_all(self, now: Moment) -> None:
        """The first run of every monitor."""
        for key, service in self._world.config.services.items():
            if service.interval and service.monitor:
                self._schedule.first_run(key, service.interval, self._world.config.settings.randstart, now)

    def plan_restored(self, key: Key, now: Moment) -> None:
        """The first run after a restart: when it would have been, if its interval has not passed since."""
        interval, last = self._world.interval_of(key), self._world.states[key].last_check
        if interval and last is not None and self._schedule.due(Timer.MONITOR, key) is not None:
            rest = last + interval - now.epoch
            if 0 < rest <= interval:
                self._schedule.plan(key, self._schedule.time(now) + rest)

    def plan_next(self, key: Key, now: Moment) -> None:
        """The run after one that is over: at the next whole interval, or at once if it was asked for meanwhile."""
        interval = self._world.interval_of(key)
        if key in self._again:
            self._again.discard(key)
            self._schedule.plan(key, self._schedule.time(now))
        elif interval:
            self._schedule.next_run(key, interval, self._world.config.services[key].randskew, now)

    def wait_anew(self, key: Key, now: Moment) -> None:
        """The next run is due a whole interval from now, unless one is going on."""
        if self._world.states[key].is_running:
            return
        self._waiting.pop(key, None)
        interval = self._world.interval_of(key)
        if interval:
            self._schedule.plan(key, self._schedule.time(now) + interval)

    def run_now(self, key: Key, now: Moment) -> None:
        """A run is due now, or once more when the one that goes on is over."""
        if self._world.states[key].is_running:
            self._again.add(key)
        elif key not in self._waiting:
            self._schedule.plan(key, self._schedule.time(now))

    # Starting

    def next_due(self) -> float | None:
        """`Moment.clock` at which to look again, perhaps in the past; None: only an event changes anything."""
        return min((due for due in self._dues() if due is not None), default=None)

    def _dues(self) -> Iterator[float | None]:
        yield self._schedule.next_due()
        if self._world.stopped_since is None and (self._world.config.settings.exclude_period or self._by_calendar):
            yield self._next_look
        if not self._schedule.frozen:
            if self._ready and self._running < self._limit:
                yield self._ready[0][0]
            if self._moved and self._by_dependency:
                yield -inf

    def look_at_calendars(self, now: Moment) -> None:
        """Once in a second of the wall clock: whether all monitors rest now, and which need rest no more."""
        self._next_look = now.clock + 1 - now.epoch % 1
        if self._looked == int(now.epoch):
            return
        self._looked = int(now.epoch)
        resting = self._world.config.settings.exclude_period
        if resting is not None and now.local in resting:
            self._schedule.freeze(_EXCLUDED, now)
        else:
            self._schedule.thaw(_EXCLUDED, now)
        for text, keys in list(self._by_calendar.items()):
            if not self._excluded(keys[0], now):
                del self._by_calendar[text]
                self._release(keys)

    def dependencies_changed(self) -> None:
        """Some status changed: monitors that are held back by it are tried again at the next tick."""
        self._moved = True

    def enqueue(self, key: Key, due: float) -> None:
        """The monitor is due since `due`, a time of the schedule."""
        self._waiting[key] = due
        heappush(self._ready, (due, self._rank[key], key))

    def _release(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if key in self._waiting:
                self.enqueue(key, self._waiting[key])

    def launch(self, now: Moment) -> list[Effect]:
        """Start whatever is due and free to go, the longest due first."""
        if self._moved:
            held, self._by_dependency, self._moved = self._by_dependency, {}, False
            self._release(held)
        effects: list[Effect] = []
        while self._ready and self._running < self._limit:
            due, _, key = heappop(self._ready)
            if self._waiting.get(key) == due:
                effects += self._try(key, now)
        throttled = bool(self._ready)
        if throttled and not self._throttled:
            effects.append(Log("info", f"throttled at {self._limit} processes"))
        self._throttled = throttled
        return effects

    def ended(self, key: Key) -> None:
        """The run of this monitor is over."""
        self._world.states[key].is_running = False
        self._running -= 1

    def _try(self, key: Key, now: Moment) -> list[Effect]:
        """Start one monitor, or put it where it waits for what holds it back."""
        calendar = self._world.config.services[key].exclude_period
        if calendar is not None and now.local in calendar:
            self._by_calendar.setdefault(calendar.text, []).append(key)
            return []
        held, effects = self._held_by_dependency(key, now)
        if held:
            self._by_dependency[key] = None
            return effects
        del self._waiting[key]
        hosts = self._world.hosts_of(key)
        spared = self._dependencies.spared_hosts(key, hosts, now)
        hosts = tuple(host for host in hosts if host not in spared)
        complaint = self._cannot_run(key, hosts)
        if complaint:
            self.plan_next(key, now)
            return [*effects, *self._complain(key, complaint)]
        self._complaints.pop(key, None)
        return [*effects, self._start(key, hosts, now)]

    def _complain(self, key: Key, complaint: str) -> list[Effect]:
        """Once, not at every interval."""
        if self._complaints.get(key) == complaint:
            return []
        self._complaints[key] = complaint
        return [Log("err", f"{key.group}/{key.service} is not tested: {complaint}")]

    def _start(self, key: Key, hosts: tuple[str, ...], now: Moment) -> StartMonitor:
        service, state, settings = (
            self._world.config.services[key],
            self._world.states[key],
            self._world.config.settings,
        )
        self._running += 1
        state.is_running = True
        state.last_check = int(now.epoch)
        timeout = service.timeout or max(settings.monitor_timeout or DEFAULT_TIMEOUT, service.interval or 0)
        environment = monitor_environment(settings, service, state)
        return StartMonitor(key, service.monitor, hosts if service.appends_hosts else (), environment, timeout)

    # What holds a monitor back

    def _excluded(self, key: Key, now: Moment) -> bool:
        calendar = self._world.config.services[key].exclude_period
        return calendar is not None and now.local in calendar

    def _held_by_dependency(self, key: Key, now: Moment) -> tuple[bool, list[Effect]]:
        state = self._world.states[key]
        try:
            holds = self._dependencies.holds(key, Behaviour.MONITOR, now)
        except EndlessDependency as error:
            return True, [Log("err", str(error))]
        if holds is not None:
            state.depend_status = holds
        return holds is False, []

    def _cannot_run(self, key: Key, hosts: tuple[str, ...]) -> str | None:
        """Why there is nothing to run, whatever the time."""
        service = self._world.config.services[key]
        if not service.monitor:
            return "it has no monitor"
        if self._world.scripts.monitor(service.monitor[0]) is None:
            return f"there is no monitor {service.monitor[0]!r} in mondir"
        if not hosts and not service.allow_empty_group:
            return "no hosts are left"
        return None

    def obstacle(self, key: Key, now: Moment) -> str | None:
        """What keeps this monitor from being started now, other than that it is not due; None: nothing."""
        service = self._world.config.services[key]
        if not service.interval:
            return "it has no interval"
        if self._world.states[key].is_running:
            return "it is running"
        resting = self._world.config.settings.exclude_period
        if resting is not None and now.local in resting:
            return f"now is inside the exclude_period of all services, {resting.text}"
        if service.exclude_period is not None and now.local in service.exclude_period:
            return f"now is inside its exclude_period, {service.exclude_period.text}"
        return self._dependency_obstacle(key, now) or self._cannot_run(key, self._world.hosts_of(key)) or self._crowd()

    def _dependency_obstacle(self, key: Key, now: Moment) -> str | None:
        try:
            held = self._dependencies.holds(key, Behaviour.MONITOR, now) is False
        except EndlessDependency as error:
            return str(error)
        return "a service that it depends on fails" if held else None

    def _crowd(self) -> str | None:
        return f"{self._running} monitors run, no more may (maxprocs)" if self._running >= self._limit else None
