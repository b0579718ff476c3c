# SPDX-License-Identifier: GPL-2.0-or-later
"""`get` and `set`: single facts of a service by mon's names, configured ones and (`_name`) known ones."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from bpvs.model.mon import Status
from bpvs.mon.core.values import ServiceState
from bpvs.mon.protocol.names import after, first_value, known_key
from bpvs.mon.protocol.reply import Refused, Reply, done
from bpvs.mon.protocol.statuses import expression_text, number
from bpvs.text.mon.escape import decode, escape
from bpvs.text.mon.secrets import shown_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpvs.model.mon import Key, Service
    from bpvs.mon.protocol.session import Session

_LONGEST_HISTORY = 100_000


def get(session: Session, rest: str) -> Reply:
    """`get maxkeep`, `get GROUP SERVICE VARIABLE`; an unknown variable is empty."""
    words = rest.split()
    if words == ["maxkeep"]:
        # The final line is mon's own.
        return done("set completed", [f"maxkeep = {session.office.engine.failure_history.maxlen}"])
    key = known_key(session, words, f"{','.join(words[:2])} not defined")
    name = words[2] if len(words) > 2 else ""
    return done(
        "get completed", [f"{key.group} {key.service} {name}='{escape(_value(session, key, name), doubling=True)}'"]
    )


def set_(session: Session, rest: str) -> Reply:
    """`set maxkeep N`, `set GROUP SERVICE opstatus NAME`, `set GROUP SERVICE VARIABLE VALUE`."""
    words = rest.split()
    if words[:1] == ["maxkeep"]:
        return _set_maxkeep(session, words[1:])
    key = known_key(session, words, f"{','.join(words[:2])} not defined")
    if len(words) < 3:
        raise Refused("set error, right would be set GROUP SERVICE VARIABLE VALUE")
    name, value = words[2], first_value(after(rest, 3))
    if name == "opstatus":
        _set_opstatus(session, key, value)
        return done("set completed")
    _SETTERS.get(name, _refuse)(session, key, value)
    return done("set completed", [f"{key.group} {key.service} {name}='{_on_one_line(value)}'"])


def _value(session: Session, key: Key, name: str) -> str:
    engine = session.office.engine
    if name == "_timer":
        return str(engine.timer(key, session.office.moment()))
    if name in _CONFIGURED:
        return _CONFIGURED[name](engine.config.services[key])
    if name in _KNOWN:
        return _text(getattr(engine.states[key], name[1:]))
    return ""


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return decode(value)
    return str(int(value)) if isinstance(value, int) else str(value)


def _seconds(value: float | None) -> str:
    return number(value) if value is not None else ""


_CONFIGURED: dict[str, Callable[[Service], str]] = {
    "interval": lambda service: _seconds(service.interval),
    "failure_interval": lambda service: _seconds(service.failure_interval),
    "randskew": lambda service: _seconds(service.randskew or None),
    "monitor": lambda service: shown_line(service.monitor_text),
    "description": lambda service: service.description,
    "depend": lambda service: expression_text(service.key, service.depend),
    "alertdepend": lambda service: expression_text(service.key, service.alert_depend),
    "monitordepend": lambda service: expression_text(service.key, service.monitor_depend),
    "hostdepend": lambda service: expression_text(service.key, service.host_depend),
    "dep_behavior": lambda service: service.depend_behaviour.value,
    "dep_memory": lambda service: _seconds(service.depend_memory or None),
    "traptimeout": lambda service: _seconds(service.trap_timeout),
    "trapduration": lambda service: _seconds(service.trap_duration),
    "exclude_hosts": lambda service: " ".join(service.exclude_hosts),
    "exclude_period": lambda service: service.exclude_period.text if service.exclude_period else "",
    "allow_empty_group": lambda service: str(int(service.allow_empty_group)),
    "unack_summary": lambda service: str(int(service.unack_summary)),
    "timeout": lambda service: _seconds(service.timeout),
}
_HIDDEN = frozenset(("key", "periods", "host_failures", "due", "trap_due", "clear_due"))  # no plain values
_KNOWN = frozenset(f"_{field.name}" for field in fields(ServiceState) if field.name not in _HIDDEN)


def _set_maxkeep(session: Session, words: list[str]) -> Reply:
    if len(words) != 1 or not re.fullmatch(r"[0-9]{1,9}", words[0]) or int(words[0]) > _LONGEST_HISTORY:
        raise Refused(f"set error, right would be set maxkeep N, at most {_LONGEST_HISTORY}")
    session.office.engine.keep_history(int(words[0]))
    return done("set completed")


def _set_opstatus(session: Session, key: Key, name: str) -> None:
    try:
        status = Status[name.upper()]
    except KeyError:
        raise Refused("undefined opstatus") from None
    session.office.engine.set_status(key, status, session.office.moment())


def _set_interval(session: Session, key: Key, value: str) -> None:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)s?", value)
    if match is None or not float(match[1]):
        raise Refused(f"set error, {value!r} is no interval: right would be seconds, as in 30")
    service = session.office.engine.config.services[key]
    session.office.engine.replace_service(replace(service, interval=float(match[1])))


def _set_description(session: Session, key: Key, value: str) -> None:
    service = session.office.engine.config.services[key]
    session.office.engine.replace_service(replace(service, description=value))


def _refuse(_session: Session, _key: Key, _value: str) -> None:
    raise Refused(f"set error, only {', '.join(_SETTERS)} and opstatus can be set")


_SETTERS: dict[str, Callable[[Session, Key, str], None]] = {
    "interval": _set_interval,
    "description": _set_description,
}


def _on_one_line(value: str) -> str:
    """A value as it was set; what would break the line is escaped."""
    return "".join(escape(character) if ord(character) < 0x20 else character for character in value)
