# SPDX-License-Identifier: GPL-2.0-or-later
"""auth.cf, who may do what, and the file of users with the hashes of their passwords; mon.cf(5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpvs.model.mon.auth import ANYONE, LOGGED_IN, Auth, TrapSender
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.lines import BLANKS, Place, text_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS = {"command section": "command", "trap section": "trap"}
_COMMAND = re.compile(r"(\w+)\s*:(.*)", re.ASCII)
_USER = re.compile(r"([^:\s]+)\s*:\s*(\S.*)", re.ASCII)


def parse_auth(text: bytes | str, *, name: str = "auth.cf") -> Auth:
    """What an auth.cf allows. ConfigError for a line of the command section that is none.

    A trap line that is none lets nobody in and is a notice. Lines of one command add up.
    """
    section = "command"
    allowed: dict[str, set[str]] = {}
    denied: dict[str, set[str]] = {}
    senders: list[TrapSender] = []
    notices: list[str] = []
    for place, line in _lines(text, name):
        folded = " ".join(words_of(line))
        if folded in _SECTIONS:
            section = _SECTIONS[folded]
        elif section == "command":
            _command(place, line, allowed, denied)
        elif len(words := words_of(line)) == 3:
            senders.append(TrapSender(*words))
        else:
            notices.append(f"{place}: {len(words)} words let nobody send traps: write a host, a user and a crypt hash")
    return Auth(_frozen(allowed), _frozen(denied), tuple(senders), tuple(notices))


def _command(place: Place, line: str, allowed: dict[str, set[str]], denied: dict[str, set[str]]) -> None:
    found = _COMMAND.fullmatch(line)
    if found is None:
        right = "write `command: user, user`, or begin a part with `command section` or `trap section`"
        legacy = f"could not parse line {place.line} of auth file"
        raise ConfigError(place, f"{line!r} names no command and its users", right, legacy=legacy)
    command = found[1].lower()
    for user in (part.strip(BLANKS) for part in found[2].split(",")):
        if user in ("!", f"!{ANYONE}"):
            raise ConfigError(place, f"{user} denies nobody", f"leave users out, or write !{LOGGED_IN}")
        if len(words_of(user)) > 1:
            raise ConfigError(place, f"{user!r} is no user", "put commas between users")
        if user.startswith("!"):
            denied.setdefault(command, set()).add(user[1:].strip(BLANKS))
        elif user:
            allowed.setdefault(command, set()).add(user)


def _frozen(users: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    return {command: frozenset(names) for command, names in users.items()}


def parse_users(text: bytes | str, *, name: str = "userfile") -> dict[str, str]:
    """The crypt(3) hashes of a userfile (`user : hash`), by user; of two lines for one the last. ConfigError.

    The error quotes nothing of the line: it may hold a hash.
    """
    users = {}
    for place, line in _lines(text, name):
        found = _USER.fullmatch(line)
        if found is None:
            raise ConfigError(place, "no user and hash", "write `user:hash`, with the hash as crypt(3) makes it")
        users[found[1]] = found[2]
    return users


def _lines(text: bytes | str, name: str) -> Iterator[tuple[Place, str]]:
    """Lines that are neither blank nor comments."""
    for number, raw in enumerate(text_of(text).split("\n"), 1):
        line = raw.strip(BLANKS)
        if line and not line.startswith("#"):
            yield Place(name, number), line
