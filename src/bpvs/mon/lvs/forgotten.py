# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that are out for an outage of which the daemon knows nothing: it was killed, or told to forget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, Status
from bpvs.mon.core.calls import alert_arguments, alert_environment
from bpvs.mon.core.judge import Case
from bpvs.mon.core.values import CallAlert
from bpvs.mon.lvs.book import FILE, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.model.mon import AlertLine, Key, Service
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Effect, Moment

_SCRIPT = "lvs.alert"


class Forgotten:
    """Who held servers out when the daemon or its configuration began, by group:service.

    An upalert follows only an alert of which the engine knows. So the first success of each of them calls its
    `upalert lvs.alert`, which does nothing if nothing is out any more. AlertFailed if the file cannot be read.
    """

    def __init__(self, statedir: Path | None = None) -> None:
        taken = read(statedir / FILE) if statedir else {}
        self._holders = {name for one in taken.values() for name in one.holders}

    def remembered(self, engine: Engine, key: Key, now: Moment, effects: Iterable[Effect] = ()) -> list[CallAlert]:
        """The calls that a result of this service is worth; its alerts may be disabled, then a later one is.

        effects: what the engine made of the result; what it calls itself is not called again
        """
        state = engine.states[key]
        if str(key) not in self._holders or state.op_status != Status.OK:
            return []
        if state.is_disabled or engine.group_disabled(key.group):
            return []
        self._holders.discard(str(key))
        service, case = engine.config.services[key], Case(AlertKind.UP, state, 0, b"", now)
        environment = alert_environment(engine.config.settings, service, case)
        hosts = engine.enabled_hosts(key.group)
        called = {(effect.script, effect.arguments) for effect in effects if isinstance(effect, CallAlert)}
        calls = (alert_arguments(key, hosts, now, AlertKind.UP, line.arguments) for line in _lines(service))
        return [
            CallAlert(key, AlertKind.UP, _SCRIPT, arguments, environment, b"")
            for arguments in calls
            if (_SCRIPT, arguments) not in called
        ]


def _lines(service: Service) -> list[AlertLine]:
    lines = (line for period in service.periods for line in period.lines.get(AlertKind.UP, ()))
    return [line for line in lines if line.script == _SCRIPT]
