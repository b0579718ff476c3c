# SPDX-License-Identifier: GPL-2.0-or-later
"""Time and results go into the engine, what it decides is carried out; it sleeps until something is due."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bpvs.mon.core.values import CallAlert, Log, Moment, StartMonitor, StopMonitor
from bpvs.mon.lvs.forgotten import Forgotten
from bpvs.mon.runner import Runner
from bpvs.text.mon.histories import Downtime, History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpvs.model.mon import Key
    from bpvs.mon.alerting import Alerting
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Effect, Outcome, ServiceState
    from bpvs.mon.logbooks import Logbooks
    from bpvs.mon.lookup import Lookup
    from bpvs.mon.store import Store

_SHORTEST_TICK = 0.01  # seconds; checks that are due close together share a look at the schedule


class Conductor:
    """`pause`: seconds between two looks at the schedule, at least (`-i`).

    forgotten: servers that are out since before the engine knew anything
    """

    def __init__(
        self,
        engine: Engine,
        scripts: Lookup,
        *,
        alerting: Alerting,
        store: Store,
        logbooks: Logbooks,
        log: Callable[[str, str], None],
        room: int,
        pause: float,
    ) -> None:
        self._engine = engine
        self.runner = Runner(scripts, self._finished, sockets=room)
        self._alerting = alerting
        self._store = store
        self._logbooks = logbooks
        self._log = log
        self._pause = max(pause, _SHORTEST_TICK)
        self._timer: asyncio.TimerHandle | None = None
        self._last_tick = 0.0
        self._is_over = False
        self.forgotten = Forgotten()

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry out what an event led to, and look when something is due next."""
        for effect in effects:
            match effect:
                case StartMonitor():
                    self.runner.start(effect)
                case CallAlert():
                    self._alerting.call(effect)
                case Log(level, text):
                    self._log(level, text)
                case History():
                    self._logbooks.note_alert(effect)
                case Downtime():
                    self._logbooks.note_downtime(effect)
                case StopMonitor(key):
                    self.runner.stop(key)
        self._set_timer()

    def stop(self) -> None:
        """Start nothing any more."""
        self._is_over = True
        if self._timer:
            self._timer.cancel()

    def _set_timer(self) -> None:
        due = self._engine.next_due()
        if due is None or self._is_over:
            return
        due = max(due, self._last_tick + self._pause)
        if self._timer and not self._timer.cancelled():
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = Moment.now()
        self._last_tick = now.clock
        effects = self._engine.tick(now)
        for effect in effects:
            if isinstance(effect, StartMonitor):
                self._store.changed(effect.key, soon=False)
        self.perform(effects)

    def _finished(self, key: Key, outcome: Outcome) -> None:
        """A monitor has ended."""
        state = self._engine.states.get(key)
        if state is None:
            return
        before, now = _memorable(state), Moment.now()
        effects = self._engine.finished(key, outcome, now)
        self._store.changed(key, soon=_memorable(state) != before)
        self.perform([*effects, *self.forgotten.remembered(self._engine, key, now, effects)])


def _memorable(state: ServiceState) -> tuple[int, int, int]:
    """What a restarted daemon must know, lest it tell people again or not at all."""
    return state.op_status, state.alert_count, state.ack
