# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of every service as plain values; docs/reference/json.md describes them.

Every field is always there; what does not apply is None. Times are epochs in seconds.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from bpvs.model.mon import AlertKind, Status
from bpvs.mon.core.world import FAILING
from bpvs.mon.lvs.book import FILE, document, read
from bpvs.text.mon.secrets import shown_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpvs.model.mon import Key, Service
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Moment, ServiceState

SCHEMA_VERSION = 1  # raised when a field changes its meaning or goes; new fields may come without

Document = dict[str, object]


class HealthView(Protocol):
    """What a daemon shows of itself: its engine, the configuration file, and the epoch at which it started."""

    @property
    def engine(self) -> Engine:
        """The one engine, which outlives resets."""

    @property
    def config_file(self) -> Path:
        """What a reset would read."""

    @property
    def started(self) -> float:
        """When the daemon began."""


def snapshot(view: HealthView, now: Moment) -> Document:
    """Everything at once."""
    services = [service_document(view.engine, key, now) for key in view.engine.states]
    return {**head(view, now), "services": services}


def head(view: HealthView, now: Moment) -> Document:
    """All but the services."""
    engine, settings = view.engine, view.engine.config.settings
    return {
        "schema_version": SCHEMA_VERSION,
        "listing": "health",
        "time": int(now.epoch),
        "daemon": {
            "pid": os.getpid(),
            "started": int(view.started),
            "config_file": str(view.config_file),
            "stopped_since": engine.stopped_since,
        },
        "alerts": [
            {
                "type": entry.kind.value,
                "group": entry.key.group,
                "service": entry.key.service,
                "time": entry.epoch,
                "alert": entry.path,
                "summary": entry.summary,
            }
            for entry in engine.alert_history
        ],
        "out": _out(settings.statedir),
    }


def service_document(engine: Engine, key: Key, now: Moment) -> Document:
    """One service."""
    service, state = engine.config.services[key], engine.states[key]
    status = Status(state.op_status)
    return {
        "group": key.group,
        "service": key.service,
        "description": service.description or None,
        "monitor": shown_line(service.monitor_text) or None,
        "interval": engine.interval_of(key),
        "status": status.name.lower(),
        "since": _since(state),
        "summary": state.last_summary or None,
        "detail": state.last_detail or None,
        "last_check": state.last_check,
        "duration": state.duration if state.duration >= 0 else None,
        "next_check": int(now.epoch) + engine.timer(key, now) if service.monitor else None,
        "is_running": state.is_running,
        "not_started": engine.why_not_started(key, now) if service.monitor else "only traps tell of it",
        "consecutive_failures": state.consec_failures,
        "last_success": state.last_success or None,
        "last_failure": state.last_failure or None,
        "flaps": state.flaps,
        "alerts_sent": state.alert_count,
        "alerts_disabled": _disabled(engine, state),
        "acknowledged": state.ack_comment if state.ack else None,
        "depends_on": service.depend.text if service.depend else None,
        "dependency_holds": state.depend_status,
        "alerts_now": alerts_now(service, now.local),
        "up_alerts": sorted({line.script for period in service.periods for line in period.lines.get(AlertKind.UP, ())}),
        "hosts": list(_hosts(engine, service, state)),
    }


def alerts_now(service: Service, moment: time.struct_time) -> bool:
    """Whether some period of the service that has alerts holds now."""
    return any(moment in period.calendar for period in service.periods if period.lines)


def _hosts(engine: Engine, service: Service, state: ServiceState) -> Iterator[Document]:
    group = service.key.group
    fails = state.op_status in FAILING
    for host in engine.config.hostgroups[group].hosts:
        since: int | None = None
        if (group, host) in engine.disabled_hosts:
            word = "disabled"
        elif host in service.exclude_hosts:
            word = "excluded"
        elif state.op_status == Status.UNTESTED:
            word = "untested"
        elif fails and (host in state.host_failures or not state.host_failures):
            word, since = "fail", state.host_failures.get(host, state.first_failure) or None
        else:
            word, since = "ok", None if fails else _since(state)
        yield {"host": host, "state": word, "since": since}


def _since(state: ServiceState) -> int | None:
    """When the present state began, as far as this daemon has seen it."""
    if state.op_status in FAILING:
        return state.first_failure or state.changed or None
    return state.changed or state.first_success or None


def _disabled(engine: Engine, state: ServiceState) -> str | None:
    if engine.group_disabled(state.key.group):
        return "group"
    return "service" if state.is_disabled else None


def _out(statedir: str | None) -> list[Document]:
    """What lvs.alert holds out; raises AlertFailed if its file cannot be read."""
    from pathlib import Path

    return [document(taken) for taken in read(Path(statedir, FILE)).values()] if statedir else []
