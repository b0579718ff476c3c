# SPDX-License-Identifier: GPL-2.0-or-later
"""`ack`, `disable`, `enable`, `clear`: what people say about services, groups and hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.mon.protocol.names import after, first_value, known_key
from bpvs.mon.protocol.reply import Refused, Reply, done

if TYPE_CHECKING:
    from bpvs.mon.protocol.session import Session

_NOT_EXECUTED = "command could not be executed"


def ack(session: Session, rest: str) -> Reply:
    """`ack GROUP SERVICE COMMENT`: somebody knows; no further alerts of this outage."""
    office = session.office
    key = known_key(session, rest.split(None, 2), "unknown service")
    comment = first_value(after(rest, 2))
    office.perform(office.engine.ack(key, session.user or "", comment, office.moment()), key)
    return done("ack completed")


def disable(session: Session, rest: str) -> Reply:
    """`disable watch G`, `disable service G S`, `disable host H...`."""
    office = session.office
    match rest.split():
        case ["watch", group, *_]:
            _check_watch(session, group, "disable")
            office.engine.disable_watch(group)
            words = ["watch", group]
        case ["service", *names]:
            key = known_key(session, names, "disable error, unknown service")
            office.perform(office.engine.disable_service(key, session.user or "", office.moment()), key)
            words = ["service", key.group, key.service]
        case ["host", *hosts]:
            _disable_hosts(session, hosts)
            return done("disable host completed")
        case _:
            raise Refused(_NOT_EXECUTED)
    _changed(session, "disable", words)
    return done(f"disable {words[0]} completed")


def enable(session: Session, rest: str) -> Reply:
    """`enable watch G`, `enable service G S`, `enable host H...`."""
    engine = session.office.engine
    match rest.split():
        case ["watch", group, *_]:
            _check_watch(session, group, "enable")
            engine.enable_watch(group)
            _changed(session, "enable", ["watch", group])
            return done("enable watch completed")
        case ["service", *names]:
            key = known_key(session, names, "enable error, unknown group")
            engine.enable_service(key)
            _changed(session, "enable", ["service", key.group, key.service])
        case ["host", *hosts]:
            engine.enable_hosts(hosts)
            for host in hosts:
                _changed(session, "enable", ["host", host])
        case _:
            raise Refused(_NOT_EXECUTED)
    return done("enable completed")


def clear(session: Session, rest: str) -> Reply:
    """`clear timers GROUP SERVICE`: its intervals and limits begin anew."""
    what, *names = rest.split() or [""]
    if what != "timers":
        raise Refused("unknown clear command")
    key = known_key(session, names, "unknown group")
    session.office.engine.clear_timers(key, session.office.moment())
    session.office.perform(())
    return done("clear timers completed")


def _disable_hosts(session: Session, hosts: list[str]) -> None:
    """All of them or none: a name that no group has, or that is disabled already, is an error."""
    engine = session.office.engine
    enabled = {
        host
        for group in engine.config.hostgroups.values()
        for host in group.hosts
        if (group.name, host) not in engine.disabled_hosts
    }
    missing = [host for host in hosts if host not in enabled]
    if missing or not hosts:
        raise Refused(f"disable host failed, host(s) {' '.join(missing)} do not exist")
    engine.disable_hosts(hosts)
    for host in hosts:
        _changed(session, "disable", ["host", host])


def _check_watch(session: Session, group: str, command: str) -> None:
    if not any(key.group == group for key in session.office.engine.config.services):
        raise Refused(
            f'{command} error, unknown watch "{group}"' if command == "disable" else "enable error, unknown watch"
        )


def _changed(session: Session, command: str, words: list[str]) -> None:
    """State file and other programs learn of it."""
    session.office.disabled_changed()
    session.office.tell_remote([command, *words])
