# SPDX-License-Identifier: GPL-2.0-or-later
"""What `mon --check` prints of a configuration in order: what is odd, then who is tested how, and who is told."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind
from bpvs.text.mon.period import ALERTS
from bpvs.text.mon.secrets import shown_line, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpvs.model.mon import AlertLine, Config, Hostgroup, Period, Service

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))
_KEYWORDS = {kind: keyword for keyword, kind in ALERTS.items()}


def report(config: Config) -> str:
    """Lines for people, each with its newline."""
    return "".join(f"{line}\n" for line in _lines(config))


def format_seconds(seconds: float) -> str:
    """A time as a mon.cf has it, in the largest unit of which it is a whole number: `90s`, `2m`, `1d`."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.10g}s"


def _lines(config: Config) -> Iterator[str]:
    for notice in config.notices:
        yield f"notice: {notice}"
    watched = {key.group for key in config.services}
    yield f"{_count(len(watched), 'group')}, {_count(len(config.services), 'service')}"
    for name, services in groupby(config.services.values(), lambda service: service.key.group):
        yield _hosts(config.hostgroups[name])
        for service in services:
            yield f"  {service.key.service}: {_tested(service)}"
            for period in service.periods:
                yield from (f"    {line}" for line in _told(period))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _hosts(group: Hostgroup) -> str:
    words = (f"{host} (disabled)" if host in group.disabled else host for host in group.hosts)
    return f"{group.name}: {', '.join(words) or 'no hosts'}"


def _tested(service: Service) -> str:
    if service.interval is None or not service.monitor:
        return "by traps only"
    again = f", after a failure {format_seconds(service.failure_interval)}" if service.failure_interval else ""
    return f"every {format_seconds(service.interval)}{again}, by {shown_line(service.monitor_text)}"


def _told(period: Period) -> Iterator[str]:
    when = period.calendar.text.strip() or "always"
    yield when if period.key in ("", period.calendar.text) else f"{period.key}: {when}"
    if not period.lines:
        yield "  no alerts"
    for kind in AlertKind:
        for line in period.lines.get(kind, ()):
            yield f"  {_KEYWORDS[kind]} {_alert(line)}"


def _alert(line: AlertLine) -> str:
    words = " ".join([line.script, *without_secrets(line.arguments)])
    if line.exits is None:
        return words
    first, last = line.exits.first, line.exits.last
    return f"{words}, for exit codes {first}{f' to {last}' if last > first else ''}"
