# SPDX-License-Identifier: GPL-2.0-or-later
"""What `list opstatus` says of a service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpvs.model.mon import Status
from bpvs.text.mon.opstatus import print_line
from bpvs.text.mon.secrets import shown_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpvs.model.mon import Expression, Key, Service
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Moment, ServiceState

FAILURES = frozenset((Status.FAIL, Status.LINKDOWN, Status.TIMEOUT))
SUCCESSES = frozenset((Status.OK, Status.COLDSTART, Status.WARMSTART, Status.UNKNOWN, Status.UNTESTED))
WARNINGS = frozenset((Status.COLDSTART, Status.WARMSTART, Status.UNKNOWN, Status.WARN))


def lines(engine: Engine, keys: Iterable[Key], now: Moment) -> Iterator[str]:
    """One line for each service that is still there when its turn comes."""
    for key in keys:
        if key in engine.states:
            yield print_line(fields_of(engine, key, now))


def fields_of(engine: Engine, key: Key, now: Moment) -> dict[str, str]:
    """The fields in the protocol's order; those of the second half only where they apply."""
    service, state = engine.config.services[key], engine.states[key]
    fields = {
        "group": key.group,
        "service": key.service,
        "opstatus": str(int(state.op_status)),
        "last_opstatus": str(int(state.last_op_status)),
        "exitval": "undef" if state.exitval is None else str(state.exitval),
        "timer": str(engine.timer(key, now)),
        "last_success": str(state.last_success),
        "last_trap": str(state.last_trap),
        "last_traphost": state.last_traphost,
        "last_check": "" if state.last_check is None else str(state.last_check),
        "ack": str(state.ack),
        "ackcomment": state.ack_comment,
        "alerts_sent": str(_alerts_sent(service, state)),
        "depstatus": "" if state.depend_status is None else str(int(state.depend_status)),
        "depend": expression_text(key, service.depend),
        "hostdepend": expression_text(key, service.host_depend),
        "monitordepend": expression_text(key, service.monitor_depend),
        "alertdepend": expression_text(key, service.alert_depend),
        "monitor": shown_line(service.monitor_text),
        "last_summary": state.last_summary,
        "last_detail": state.last_detail,
    }
    if state.last_failure:
        fields["last_failure"] = str(state.last_failure)
    if service.interval is not None:
        fields |= _schedule_fields(service, state)
    last_alert = max((period.last_alert for period in state.periods.values()), default=0)
    if last_alert:
        fields["last_alert"] = str(last_alert)
    if state.first_failure:
        fields["first_failure"] = str(state.first_failure)
        fields["failure_duration"] = str(int(now.epoch) - state.first_failure)
    return fields


def expression_text(key: Key, expression: Expression | None) -> str:
    """A dependency as written, but with the group's own name for SELF."""
    return re.sub(r"\bSELF:", f"{key.group}:", expression.text) if expression else ""


def number(value: float) -> str:
    """Seconds as mon writes them: 5, 0.5, 90."""
    return f"{value:.15g}"


def _schedule_fields(service: Service, state: ServiceState) -> dict[str, str]:
    interval = state.interval if state.interval is not None else service.interval
    assert interval is not None
    fields = {
        "interval": number(interval),
        "monitor_duration": str(state.duration),
        "monitor_running": str(int(state.is_running)),
    }
    if service.exclude_period is not None:
        fields["exclude_period"] = service.exclude_period.text
    if service.exclude_hosts:
        fields["exclude_hosts"] = " ".join(service.exclude_hosts)
    if service.randskew:
        fields["randskew"] = number(service.randskew)
    return fields


def _alerts_sent(service: Service, state: ServiceState) -> int:
    counting = (period.key for period in service.periods if not period.dont_count)
    return sum(state.periods[key].alert_sent for key in counting if key in state.periods)
