# SPDX-License-Identifier: GPL-2.0-or-later
"""`list ...`: everything that clients look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bpvs.model.mon import Key
from bpvs.mon.protocol import statuses
from bpvs.mon.protocol.reply import Refused, Reply, done
from bpvs.text.mon.escape import escape
from bpvs.text.mon.histories import print_failure, print_history

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from bpvs.mon.protocol.session import Session

    Listing = Callable[[Session, list[str]], Reply | Awaitable[Reply]]


def list_(session: Session, rest: str) -> Reply | Awaitable[Reply]:
    """`list WHAT ...`; its words are case sensitive."""
    word, *names = rest.split() or [""]
    listing = _LISTINGS.get(word)
    if listing is None:
        raise Refused("unknown list command")
    return listing(session, names)


def shown(session: Session) -> Iterator[Key]:
    """The services of the selected view, in the file's order."""
    return (key for key in session.office.engine.config.services if session.shows(key))


def _watch(session: Session, _names: list[str]) -> Reply:
    return done("list watch completed", (f"{key.group} {key.service}" for key in shown(session)))


def _group(session: Session, names: list[str]) -> Reply:
    engine = session.office.engine
    group = engine.config.hostgroups.get(names[0]) if names else None
    if group is None:
        raise Refused("list group error, undefined group")
    hosts = [f"*{host}" if (group.name, host) in engine.disabled_hosts else host for host in group.hosts]
    return done("list group completed", [" ".join(["hostgroup", group.name, *hosts])])


def _opstatus(session: Session, names: list[str]) -> Reply:
    """All services of the view, or those of the named groups and `group,service` pairs, each once."""
    engine = session.office.engine
    keys = dict.fromkeys(_named(session, names)) if names else list(shown(session))
    return done("list opstatus completed", statuses.lines(engine, keys, session.office.moment()))


def _named(session: Session, names: list[str]) -> Iterator[Key]:
    config = session.office.engine.config
    groups: dict[str, list[Key]] = {name: [] for name in config.hostgroups}
    for key in config.services:
        groups.setdefault(key.group, []).append(key)
    for name in dict.fromkeys(names):
        group, comma, service = name.partition(",")
        keys = [Key(group, service)] if comma else groups.get(group)
        if keys is None or (comma and keys[0] not in config.services):
            raise Refused(f"{name} does not exist")
        yield from keys


def _by_status(wanted: frozenset[int], final: str) -> Listing:
    def listing(session: Session, _names: list[str]) -> Reply:
        engine = session.office.engine
        keys = [key for key in shown(session) if engine.states[key].op_status in wanted]
        return done(final, statuses.lines(engine, keys, session.office.moment()))

    return listing


def _disabled(session: Session, _names: list[str]) -> Reply:
    engine = session.office.engine
    keys = list(shown(session))
    groups = dict.fromkeys(key.group for key in keys)
    lines = []
    for group in engine.config.hostgroups.values():
        hosts = [host for host in group.hosts if (group.name, host) in engine.disabled_hosts]
        if hosts and (session.view is None or group.name in groups):
            lines.append(f"group {group.name}: {' '.join(hosts)}")
    for name in groups:
        if name in engine.disabled_watches:
            lines.append(f"watch {name}")
        services = [key.service for key in keys if key.group == name and engine.states[key].is_disabled]
        lines += [f"watch {name} service {service}" for service in services]
    return done("list disabled completed", lines)


def _alerthist(session: Session, _names: list[str]) -> Reply:
    entries = [entry for entry in session.office.engine.alert_history if session.shows(entry.key)]
    return done("list alerthist completed", (escape(print_history(entry)) for entry in entries))


def _failurehist(session: Session, _names: list[str]) -> Reply:
    entries = [entry for entry in session.office.engine.failure_history if session.shows(entry.key)]
    return done("list failurehist completed", (escape(print_failure(entry)) for entry in entries))


def _pids(session: Session, _names: list[str]) -> Reply:
    running = [f"{key.group} {key.service} {pid}" for key, pid in session.office.running()]
    return done("list pids completed", [f"server {os.getpid()}", *running])


def _descriptions(session: Session, _names: list[str]) -> Reply:
    services = session.office.engine.config.services
    lines = (
        f"{key.group} {key.service} {escape(services[key].description, doubling=True)}" for key in list(shown(session))
    )
    return done("list descriptions completed", lines)


def _deps(session: Session, _names: list[str]) -> Reply:
    """The expression of each `depend`, and the services that it names."""
    services = session.office.engine.config.services
    lines = []
    for key in shown(session):
        depend = services[key].depend
        text = statuses.expression_text(key, depend) or "NONE"
        atoms = [f"{group}:{service}" for group, service in depend.atoms()] if depend else ["NONE"]
        name = f"{key.group} {key.service}"
        lines += [f"exp {name} '{escape(text, doubling=True)}'", f"cmp {name} {' '.join(atoms)}"]
    return done("list deps completed", lines)


def _aliases(session: Session, names: list[str]) -> Reply:
    aliases = session.office.engine.config.aliases
    missing = [name for name in names if name not in aliases]
    if missing:
        raise Refused(f"list aliases error, undefined alias {missing[0]}")
    lines = []
    for name in names or aliases:
        lines += [f"alias {name}", *aliases[name], ""]
    return done("list aliases completed", lines)


def _aliasgroups(session: Session, _names: list[str]) -> Reply:
    return done("list aliasgroups completed", [" ".join(session.office.engine.config.aliases)])


def _state(session: Session, _names: list[str]) -> Reply:
    since = session.office.engine.stopped_since
    text = "scheduler running" if since is None else f"scheduler stopped since {since}"
    return done("list state completed", [text])


async def _dtlog(session: Session, _names: list[str]) -> Reply:
    try:
        lines = await session.office.downtime_log()
    except OSError as error:
        raise Refused("list dtlog error, cannot open dtlog") from error
    if lines is None:
        raise Refused("list dtlog error, dtlogging is not turned on")
    return done("list dtlog completed", lines)


def _views(session: Session, _names: list[str]) -> Reply:
    """The final line names another command: it is mon's, and clients may wait for it."""
    return done("list group completed", [" ".join(["views", *sorted(session.office.engine.config.views)])])


_LISTINGS: dict[str, Listing] = {
    "watch": _watch,
    "group": _group,
    "opstatus": _opstatus,
    "failures": _by_status(statuses.FAILURES, "list failures completed"),
    "successes": _by_status(statuses.SUCCESSES, "list successes completed"),
    "warnings": _by_status(statuses.WARNINGS, "list successes completed"),  # mon's own words
    "disabled": _disabled,
    "alerthist": _alerthist,
    "failurehist": _failurehist,
    "pids": _pids,
    "descriptions": _descriptions,
    "deps": _deps,
    "aliases": _aliases,
    "aliasgroups": _aliasgroups,
    "state": _state,
    "dtlog": _dtlog,
    "views": _views,
}
