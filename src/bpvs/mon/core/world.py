# SPDX-License-Identifier: GPL-2.0-or-later
"""What is configured, what is known, and what people have switched off; queries that change nothing."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from bpvs.model.mon import Status
from bpvs.mon.core.errors import UnknownName
from bpvs.mon.core.values import PeriodState, ServiceState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.model.mon import Config, Key, Period, Service
    from bpvs.text.mon.histories import Failure, History

DEFAULT_HISTORY = 100  # entries (histlength)

FAILING = frozenset({Status.FAIL, Status.LINKDOWN, Status.TIMEOUT})
SUCCEEDING = frozenset({Status.OK, Status.COLDSTART, Status.WARMSTART, Status.UNKNOWN, Status.UNTESTED})
_BETWEEN_HOSTS = re.compile(r"[\s,;()\[\]]+")


class Scripts(Protocol):
    """Which programs there are: the path of the one that serves, or `builtin:NAME`; None: there is none."""

    def monitor(self, name: str) -> str | None:
        """The program for the first word of a `monitor` line."""

    def alert(self, name: str) -> str | None:
        """The program for the script of an alert line."""


class World:
    """The facts that decisions are made of.

    config: what is watched, with the settings in force (command line and defaults filled in)
    states: what is known of every service, in the file's order
    disabled_hosts: (group, host) taken out; disabled_watches: groups whose alerts are suppressed
    stopped_since: epoch at which the scheduler was stopped; None while it runs
    failure_history, alert_history: the last `histlength` failing results and alert calls, oldest first
    """

    def __init__(self, config: Config, scripts: Scripts) -> None:
        self.config = config
        self.scripts = scripts
        self.states: dict[Key, ServiceState] = fresh_states(config)
        self.disabled_hosts: set[tuple[str, str]] = starred(config)
        self.disabled_watches: set[str] = set()
        self.stopped_since: int | None = None
        self._watched = frozenset(key.group for key in config.services)
        self._groups = _groups_by_host(config)
        self.failure_history: deque[Failure] = deque(maxlen=history_length(config))
        self.alert_history: deque[History] = deque(maxlen=history_length(config))

    def service(self, key: Key) -> Service:
        """The service of this name; UnknownName if there is none."""
        try:
            return self.config.services[key]
        except KeyError:
            raise UnknownName(f"{key.group} {key.service} not defined") from None

    def period(self, key: Key, name: str) -> Period:
        """The period of a service by its label or text; UnknownName if there is none."""
        for period in self.service(key).periods:
            if period.key == name:
                return period
        raise UnknownName("period not defined")

    def watched(self, group: str) -> bool:
        """Whether some service belongs to this group."""
        return group in self._watched

    def groups_of(self, host: str) -> tuple[str, ...]:
        """The groups that have this host, in the file's order."""
        return self._groups.get(host, ())

    def group_disabled(self, group: str) -> bool:
        """Whether the alerts of this group are suppressed."""
        return group in self.disabled_watches

    def enabled_hosts(self, group: str) -> tuple[str, ...]:
        """The hosts of a group without those taken out, in the file's order."""
        return tuple(host for host in self.config.hostgroups[group].hosts if (group, host) not in self.disabled_hosts)

    def hosts_of(self, key: Key) -> tuple[str, ...]:
        """The hosts that the monitor of this service is to test (`hostdepend` may spare some of them)."""
        excluded = self.service(key).exclude_hosts
        return tuple(host for host in self.enabled_hosts(key.group) if host not in excluded)

    def keep_history(self, length: int) -> None:
        """Keep so many entries of each history from now on."""
        self.failure_history = deque(self.failure_history, maxlen=length)
        self.alert_history = deque(self.alert_history, maxlen=length)

    def replace_service(self, service: Service) -> None:
        """Another configuration of one service, until the next reset."""
        self.service(service.key)
        self.config = replace(self.config, services={**self.config.services, service.key: service})

    def interval_of(self, key: Key) -> float | None:
        """The seconds between two runs that are in force now; None: it is never run."""
        return self.states[key].interval or self.config.services[key].interval


def _groups_by_host(config: Config) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for group in config.hostgroups.values():
        for host in dict.fromkeys(group.hosts):
            groups.setdefault(host, []).append(group.name)
    return {host: tuple(names) for host, names in groups.items()}


def history_length(config: Config) -> int:
    """How many entries the histories keep."""
    length = config.settings.histlength
    return DEFAULT_HISTORY if length is None else length


def fresh_states(config: Config) -> dict[Key, ServiceState]:
    """States of services of which nothing is known yet."""
    return {
        key: ServiceState(key, periods={period.key: PeriodState() for period in service.periods})
        for key, service in config.services.items()
    }


def starred(config: Config) -> set[tuple[str, str]]:
    """The (group, host) that the file itself takes out."""
    return {(group.name, host) for group in config.hostgroups.values() for host in group.disabled}


def named_hosts(summary: str, hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of `hosts` that a monitor's summary line names, as whole words: 10.0.0.1 is not in 10.0.0.10."""
    written = _BETWEEN_HOSTS.split(summary)
    words = {word.rstrip(marks) for word in written for marks in (" ", ":", ":.")}
    return tuple(host for host in hosts if host in words)
