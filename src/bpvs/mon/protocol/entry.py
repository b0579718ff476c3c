# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands about the session itself: who is there, which protocol, which view."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from bpvs.mon.protocol.reply import Refused, Reply, done
from bpvs.text.mon.escape import visible

if TYPE_CHECKING:
    from bpvs.mon.protocol.session import Session

PROTOCOL = 9745  # 0x2611, of mon 0.38.16 and later
_MOST_FAILED_LOGINS = 5
_NO_VIEW = "no view selected -- all groups will be displayed"


def quit_session(session: Session, _rest: str) -> Reply:
    """The connection is closed after the answer."""
    session.is_over = True
    return done("quitting")


def protid(_session: Session, rest: str) -> Reply:
    """Whether both sides speak the same protocol."""
    if rest.strip() != str(PROTOCOL):
        raise Refused("protocol mismatch")
    return done("protocol match")


def version(_session: Session, _rest: str) -> Reply:
    """The protocol's number."""
    return done("version completed", [f"version {PROTOCOL}"])


async def login(session: Session, rest: str) -> Reply:
    """`login USER PASSWORD`; the password is the rest of the line. A failure costs the guesser time."""
    user, _, password = rest.partition(" ")
    if await session.office.accepts(user, password, session.address):
        session.user = user
        session.office.log("info", f"authenticated {visible(user)} from {session.address}")
        return done("login accepted")
    session.failed_logins += 1
    session.is_over = session.failed_logins >= _MOST_FAILED_LOGINS
    await asyncio.sleep(random.uniform(0.5, 1.0))  # noqa: S311 - not to be guessed by nobody, only uneven
    return Reply("530 login unsuccessful")


def checkauth(session: Session, rest: str) -> Reply:
    """Whether the client may use a command."""
    if not session.may(rest):
        raise Refused("command could not be executed")
    return done("command authorized")


def servertime(session: Session, _rest: str) -> Reply:
    """The epoch, and the local time in words."""
    now = session.office.moment()
    return done("servertime completed", [f"{int(now.epoch)} {time.asctime(now.local)}"])


def setview(session: Session, rest: str) -> Reply:
    """`setview [VIEW]`: selects a view, or none."""
    words = rest.split()
    if len(words) > 1:
        raise Refused("Unknown setview command", 500)
    if not words:
        session.view = None
        return done("setview completed", [_NO_VIEW])
    if words[0] not in session.office.engine.config.views:
        raise Refused(f"unknown view {words[0]}", 504)
    session.view = words[0]
    return done("setview completed", [f"selecting view {session.view}"])


def getview(session: Session, _rest: str) -> Reply:
    """Which view is selected."""
    return done("getview completed", [f"view {session.view} selected" if session.view else _NO_VIEW])


def dump(_session: Session, _rest: str) -> Reply:
    """A word that the protocol knows and nobody may use: it showed the daemon's memory."""
    raise Refused("command could not be executed, unknown command")
