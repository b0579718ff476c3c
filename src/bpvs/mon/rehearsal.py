# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of built-in monitors and alerts, read before anything is done with them: mistakes are told at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.alerts.registry import reader
from bpvs.mon.lookup import BUILTIN
from bpvs.mon.monitors.options import parse
from bpvs.mon.monitors.registry import options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpvs.model.mon import AlertLine, Config, Service
    from bpvs.mon.lookup import Lookup


def wrong_words(config: Config, scripts: Lookup) -> list[str]:
    """A sentence for each service or line whose built-in monitor or alert does not take its options."""
    found = (sentence for service in config.services.values() for sentence in _of_service(service, scripts))
    return list(dict.fromkeys(found))


def _of_service(service: Service, scripts: Lookup) -> Iterator[str]:
    if service.monitor:
        name, *words = service.monitor
        if (scripts.monitor(name) or "").startswith(BUILTIN):
            yield from _complaint(service, partial(parse, name, options_of(name), words))
    for line in _lines(service):
        if (scripts.alert(line.script) or "").startswith(BUILTIN):
            read = reader(line.script)
            if read:
                yield from _complaint(service, partial(read, line.arguments))


def _lines(service: Service) -> Iterator[AlertLine]:
    if service.redistribute:
        yield service.redistribute
    for period in service.periods:
        for lines in period.lines.values():
            yield from lines


def _complaint(service: Service, read: Callable[[], object]) -> Iterator[str]:
    try:
        read()
    except BpvsError as error:
        yield f"{service.key}: {error}"
