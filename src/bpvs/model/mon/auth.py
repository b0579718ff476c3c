# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: the contents of an auth.cf."""

from __future__ import annotations

from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANYONE = "all"  # also who is not logged in
LOGGED_IN = "AUTH_ANY"


@dataclass(frozen=True, slots=True)
class TrapSender:
    """A host that may send traps as `user`, whose password has this crypt(3) hash; `*` is any host, any user."""

    host: str
    user: str
    hash: str


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may give which command and send traps. Commands are in lower case; users may be ANYONE and LOGGED_IN."""

    allowed: Mapping[str, frozenset[str]]
    denied: Mapping[str, frozenset[str]]
    senders: tuple[TrapSender, ...] = ()
    notices: tuple[str, ...] = ()  # lines that count for nothing, each a sentence with its place

    def may(self, user: str | None, command: str) -> bool:
        """Whether this user, or somebody who is not logged in (None or no name), may give the command.

        A denial comes first, of the user or of all who are logged in; it says nothing about those who are not.
        """
        allowed = self.allowed.get(command, frozenset())
        if not user:
            return ANYONE in allowed
        if self.denied.get(command, frozenset()) & {LOGGED_IN, user}:
            return False
        return bool(allowed & {ANYONE, LOGGED_IN, user})


NOBODY = Auth({}, {})
