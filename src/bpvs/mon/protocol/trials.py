# SPDX-License-Identifier: GPL-2.0-or-later
"""`test`: run a monitor now, call alerts, read the configuration file without using it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind
from bpvs.mon.protocol.names import known_key
from bpvs.mon.protocol.reply import Refused, Reply, done

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from bpvs.mon.protocol.session import Session

_KINDS = {
    "alert": AlertKind.FAILURE,
    "upalert": AlertKind.UP,
    "startupalert": AlertKind.STARTUP,
    "ackalert": AlertKind.ACK,
    "disablealert": AlertKind.DISABLE,
}


def test(session: Session, rest: str) -> Reply | Awaitable[Reply]:
    """`test monitor G S`, `test alert|upalert|... G S STATUS PERIOD`, `test config`."""
    what, _, arguments = rest.partition(" ")
    if what == "monitor":
        return _monitor(session, arguments)
    if what in _KINDS:
        return _alert(session, _KINDS[what], arguments)
    if what == "config":
        return _config(session)
    raise Refused("test error")


def _monitor(session: Session, arguments: str) -> Reply:
    office = session.office
    names = arguments.split()
    key = known_key(session, names, f"{' '.join(names[:2])} not defined")
    office.engine.test_monitor(key, office.moment())
    office.perform(())
    office.tell_remote(["test", key.group, key.service])
    return done("test monitor completed")


def _alert(session: Session, kind: AlertKind, arguments: str) -> Reply:
    """The period's name is the rest of the line, which may be empty."""
    office = session.office
    match = re.fullmatch(r"\s*(\S+)\s+(\S+)\s+(\d{1,9})(?:\s(.*))?", arguments)
    if match is None:
        raise Refused(f"test error, right would be test {kind.value} GROUP SERVICE STATUS PERIOD")
    group, service, status, period = match.groups()
    key = known_key(session, [group, service], f"{group} {service} not defined")
    office.perform(office.engine.test_alert(kind, key, int(status), period or "", office.moment()), key)
    return done("test alert completed")


async def _config(session: Session) -> Reply:
    wrong = await session.office.check_config()
    if wrong is None:
        return done("test config completed OK, no errors found")
    return Reply("520 test config completed, errors found in config file", [wrong])
