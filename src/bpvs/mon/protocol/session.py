# SPDX-License-Identifier: GPL-2.0-or-later
"""A client's session: who it is, which view it selected, and what its lines are answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.protocol.commands import COMMANDS
from bpvs.mon.protocol.reply import Refused, Reply
from bpvs.text.mon.escape import visible

if TYPE_CHECKING:
    from bpvs.model.mon import Key
    from bpvs.mon.protocol.office import Office

_LINE = re.compile(r"(\S+)\s*(.*)", re.DOTALL)
# What only looks; the log tells of it at debug level, because pages that watch mon ask every few seconds.
_LOOKING = frozenset(("list", "get", "servertime", "version", "protid", "checkauth", "getview", "setview", "quit"))


@dataclass(slots=True)
class Session:
    """One connection. `user` None: not logged in; `view` None: everything is shown."""

    office: Office
    address: str
    user: str | None = None
    view: str | None = None
    failed_logins: int = 0
    is_over: bool = False

    def shows(self, key: Key) -> bool:
        """Whether the selected view holds the service."""
        if self.view is None:
            return True
        members = self.office.engine.config.views.get(self.view, ())
        return key.group in members or str(key) in members

    def may(self, command: str) -> bool:
        """Whether auth.cf lets this client use the command; the log says so if not."""
        if self.office.auth.may(self.user, command):
            return True
        reason = "denied" if self.user else "not authenticated"
        self.office.log("err", f"user '{self.user or ''}' tried '{visible(command)}', {reason}")
        return False


async def answer(session: Session, line: str) -> Reply:
    """The answer to a line without its end. Whatever a command raises on purpose is a final line too."""
    match = _LINE.match(line)
    command = COMMANDS.get(match[1].lower()) if match else None
    if match is None or command is None:
        return Reply("520 invalid command")
    word, rest = match[1].lower(), match[2]
    if command.is_protected and not session.may(word):
        return Reply("520 command could not be executed, unknown command")
    if word != "login":
        level = "debug" if word in _LOOKING else "info"
        session.office.log(level, f'client command "{visible(line)}" from {session.address}')
    try:
        reply = command.run(session, rest)
        return reply if isinstance(reply, Reply) else await reply
    except Refused as error:
        return Reply(f"{error.code} {error}")
    except BpvsError as error:
        return Reply(f"520 {visible(str(error))}")
