# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command of the protocol by its word, in lower case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.mon.protocol import changes, control, entry, lists, trials, variables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bpvs.mon.protocol.reply import Reply
    from bpvs.mon.protocol.session import Session

    Run = Callable[[Session, str], Reply | Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the session and the rest of the line; a protected command needs permission in auth.cf."""

    run: Run
    is_protected: bool = True


COMMANDS = {
    "quit": Command(entry.quit_session, is_protected=False),
    "protid": Command(entry.protid, is_protected=False),
    "version": Command(entry.version, is_protected=False),
    "login": Command(entry.login, is_protected=False),
    "checkauth": Command(entry.checkauth, is_protected=False),
    "setview": Command(entry.setview, is_protected=False),
    "getview": Command(entry.getview, is_protected=False),
    "servertime": Command(entry.servertime),
    "list": Command(lists.list_),
    "ack": Command(changes.ack),
    "disable": Command(changes.disable),
    "enable": Command(changes.enable),
    "clear": Command(changes.clear),
    "test": Command(trials.test),
    "get": Command(variables.get),
    "set": Command(variables.set_),
    "reset": Command(control.reset),
    "reload": Command(control.reload),
    "stop": Command(control.stop),
    "start": Command(control.start),
    "term": Command(control.term),
    "savestate": Command(control.savestate),
    "loadstate": Command(control.loadstate),
    "dump": Command(entry.dump, is_protected=False),
}
