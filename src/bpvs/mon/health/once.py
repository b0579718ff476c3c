# SPDX-License-Identifier: GPL-2.0-or-later
"""One check now, as the daemon would run it, without a daemon: nobody is told of its result."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.model.mon import Key
from bpvs.model.value import dataclass
from bpvs.mon.core.calls import monitor_environment
from bpvs.mon.core.values import Outcome, ServiceState
from bpvs.mon.lookup import BUILTIN, Lookup
from bpvs.mon.monitors.registry import find
from bpvs.mon.monitors.report import status_of
from bpvs.mon.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpvs.model.mon import Config, Service
    from bpvs.mon.configuration import Setup
    from bpvs.mon.monitors.report import HostReport


class CannotRun(BpvsError):
    """There is no such check, or it cannot be run; the sentence says why and what there is."""


@dataclass(frozen=True, slots=True)
class Run:
    """A check that ended: which program served, its exit code, its time, and what it saw host by host or printed."""

    program: str
    status: int
    seconds: float
    reports: tuple[HostReport, ...] = ()
    output: str = ""


async def run_once(setup: Setup, group: str, name: str) -> Run:
    """Runs the service's monitor on the group's hosts, but for those that the file takes out. CannotRun."""
    service = _service(setup.config, group, name)
    word, *arguments = service.monitor
    program = Lookup(setup.places).monitor(word)
    if program is None:
        raise CannotRun(f"{word}: no executable of this name in mondir, and no built-in one")
    hosts = _hosts(setup.config, service)
    environment = monitor_environment(setup.config.settings, service, ServiceState(service.key))
    patience = service.timeout or max(setup.config.settings.monitor_timeout or 0, service.interval or 0)
    begun = time.monotonic()
    if program.startswith(BUILTIN):
        reports = await _built_in(word, arguments, hosts, environment, patience)
        return Run(program, status_of(reports), time.monotonic() - begun, tuple(reports))
    words = [program, *arguments, *(hosts if service.appends_hosts else ())]
    outcome: Outcome = await Process.start(words, environment).outcome(patience)
    return Run(program, outcome.status, outcome.duration, output=outcome.output.decode(errors="replace"))


async def _built_in(
    name: str, arguments: list[str], hosts: tuple[str, ...], environment: Mapping[str, str], patience: float
) -> list[HostReport]:
    check = find(name)
    if check is None:
        raise CannotRun(f"{name} is no built-in monitor")
    try:
        async with asyncio.timeout(patience):
            return await check(arguments, hosts, environment)
    except TimeoutError:
        raise CannotRun(f"{name} was not over after {patience:g} s") from None


def _service(config: Config, group: str, name: str) -> Service:
    service = config.services.get(Key(group, name))
    if service is None:
        known = ", ".join(f"{key.group} {key.service}" for key in config.services) or "none"
        raise CannotRun(f"there is no service {name} of {group}; there are {known}")
    if not service.monitor:
        raise CannotRun(f"{service.key} has no monitor: only traps tell of it")
    return service


def _hosts(config: Config, service: Service) -> tuple[str, ...]:
    group = config.hostgroups[service.key.group]
    return tuple(host for host in group.hosts if host not in (*group.disabled, *service.exclude_hosts))
