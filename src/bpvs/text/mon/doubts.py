# SPDX-License-Identifier: GPL-2.0-or-later
"""What is odd about a configuration that is in order as such: each a sentence with its place."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from bpvs.model.mon import Behaviour, Key
from bpvs.text.mon.service import DEPENDENCIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpvs.model.mon import Config, Expression, Service
    from bpvs.text.mon.lines import Line, Place

    Places = Mapping[tuple[str, ...], Place]

_MOST_LINES_NAMED = 10


def swallowed(lines: Sequence[Line]) -> Iterator[str]:
    """Said once for all sections that began without the blank line which mon 1.3.6 needs."""
    if not lines:
        return
    first = lines[0]
    more = [f"line {line.place.line}" for line in lines[1:_MOST_LINES_NAMED]]
    if len(lines) > _MOST_LINES_NAMED:
        more.append(f"{len(lines) - _MOST_LINES_NAMED} more")
    also = f" (also {', '.join(more)})" if more else ""
    yield f"{first.place}: {first.text!r} begins a section without a blank line before it{also}; it is read as one"


def doubts(config: Config, places: Places) -> Iterator[str]:
    """Groups, services and dependencies that look like slips."""
    yield from _groups(config, places)
    for key, service in config.services.items():
        place = places["service", key.group, key.service]
        yield from (f"{place}: {odd}" for odd in _service(service))
    yield from _unknown_atoms(config, places)
    yield from _circles(config, places)
    if config.settings.dtlogfile and not config.settings.dtlogging:
        yield f"{places[('dtlogfile',)]}: dtlogfile alone starts no downtime log; write dtlogging = yes too to have one"


def _groups(config: Config, places: Places) -> Iterator[str]:
    watched = {key.group for key in config.services}
    for group in config.hostgroups:
        early = places.get(("early", group))
        if early and ("hostgroup", group) in places:
            yield f"{early}: watch {group} stands above its hostgroup"
        elif early:
            yield f"{early}: there is no hostgroup {group}, so the watch is of one host with that name"
        if ("watch", group) not in places:
            yield f"{places['hostgroup', group]}: hostgroup {group} has no watch, so nothing tests its hosts"
        elif group not in watched:
            yield f"{places['watch', group]}: watch {group} has no service, so nothing is tested"
    known = {*config.hostgroups, *map(str, config.services)}
    for view, members in config.views.items():
        for member in members:
            if member not in known:
                yield f"{places['view', view]}: view {view} names {member}, which is neither a group nor group:service"


def _service(service: Service) -> Iterator[str]:
    if service.monitor and service.interval is None:
        yield f"{service.key} has a monitor but no interval, so it is never run by itself"
    if service.interval is not None and not service.monitor:
        yield f"{service.key} has an interval but no monitor, so there is nothing to run"


def _dependencies(service: Service) -> Iterator[tuple[str, Expression]]:
    """The expressions of a service by keyword."""
    for keyword, field in DEPENDENCIES.items():
        expression: Expression | None = getattr(service, field)
        if expression:
            yield keyword, expression


def _unknown_atoms(config: Config, places: Places) -> Iterator[str]:
    for key, service in config.services.items():
        for keyword, expression in _dependencies(service):
            for group, name in expression.atoms():
                if Key(group, name) not in config.services:
                    place = places[keyword, key.group, key.service]
                    yield f"{place}: {keyword} names {group}:{name}, which no watch has; it counts as down"


def _circles(config: Config, places: Places) -> Iterator[str]:
    """Services that depend on themselves, at once or by way of others; of each kind the first circle."""
    for kind in (Behaviour.ALERT, Behaviour.MONITOR):
        arrows: dict[Key, set[Key]] = {}
        for key, service in config.services.items():
            for keyword, expression in _dependencies(service):
                if _kind(keyword, service) is not kind:
                    continue
                targets = {Key(*atom) for atom in expression.atoms()}
                if key in targets:
                    yield f"{places[keyword, key.group, key.service]}: {key} depends on itself"
                arrows.setdefault(key, set()).update(targets - {key})
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            circle: list[Key] = error.args[1]
            first = circle[0]
            names = " and ".join(map(str, dict.fromkeys(circle)))
            yield f"{places['service', first.group, first.service]}: {names} depend on each other in a circle"


def _kind(keyword: str, service: Service) -> Behaviour:
    kinds = {"alertdepend": Behaviour.ALERT, "monitordepend": Behaviour.MONITOR, "hostdepend": Behaviour.HOSTS}
    return kinds.get(keyword, service.depend_behaviour)
