# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands on the daemon as a whole: reset, reload, stop, start, term, savestate, loadstate."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from bpvs.mon.protocol.office import STATE_KINDS
from bpvs.mon.protocol.reply import Refused, Reply, done
from bpvs.text.mon.errors import ConfigError

if TYPE_CHECKING:
    from bpvs.mon.protocol.session import Session


async def reset(session: Session, rest: str) -> Reply:
    """`reset [stopped] [keepstate]`: the configuration is read again."""
    words = rest.split()
    stopped = any(word.lower() == "stopped" for word in words)
    name = f"reset PID {os.getpid()}@{socket.gethostname()}"
    try:
        await session.office.reset(stopped=stopped, keep="keepstate" in words)
    except ConfigError as error:
        raise Refused(f"{name} failed, error in config file") from error
    return done(name)


def reload(session: Session, rest: str) -> Reply:
    """`reload [auth]`: auth.cf is read again."""
    if rest.split() not in ([], ["auth"]):
        raise Refused("unknown reload command")
    session.office.reload_auth()
    return done("reload completed")


def stop(session: Session, _rest: str) -> Reply:
    """No monitors are started and no alerts are sent until `start`."""
    session.office.engine.stop(session.office.moment())
    session.office.perform(())
    return done("stop completed")


def start(session: Session, _rest: str) -> Reply:
    """The end of `stop`."""
    session.office.engine.resume(session.office.moment())
    session.office.perform(())
    return done("start completed")


def term(session: Session, _rest: str) -> Reply:
    """The daemon ends once the answer is on its way."""
    session.is_over = True
    session.office.terminate()
    return done("terminating server")


async def savestate(session: Session, rest: str) -> Reply:
    """`savestate disabled|opstatus|all ...`."""
    if not rest.split():
        raise Refused("savestate error, arguments required")
    await session.office.save_state(_kinds(rest))
    return done("savestate completed")


async def loadstate(session: Session, rest: str) -> Reply:
    """`loadstate disabled|opstatus|all ...`; without a word nothing is loaded."""
    await session.office.load_state(_kinds(rest))
    return done("loadstate completed")


def _kinds(rest: str) -> list[str]:
    """The kinds of state that the words name; words that name none are none, as in mon."""
    words = rest.split()
    return [kind for kind in STATE_KINDS if kind in words or "all" in words]
