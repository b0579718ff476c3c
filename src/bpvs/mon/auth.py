# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a password is the user's, by the kinds of `authtype`; mon.cf(5). Passwords go nowhere else."""

from __future__ import annotations

import asyncio
import ipaddress
import pwd
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon import crypt, pam
from bpvs.mon.threads import in_thread
from bpvs.text.mon.auth import parse_users
from bpvs.text.mon.escape import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHADOW = Path("/etc/shadow")
DEFAULT_TYPES = ("getpwnam",)
DEFAULT_PAM_SERVICE = "passwd"
_MOST_AT_ONCE = 4  # checks; hashes are made to be slow, and a crowd of guessers is not to take every processor
_LONGEST_CHECK = 30.0  # seconds; a PAM module may wait for a server that is away


class Authenticator:
    """Tries `types` from left to right until one accepts: getpwnam, shadow, userfile, pam, trustlocal.

    userfile is read at each login. log(level, text) learns why somebody was not let in.
    """

    def __init__(
        self,
        types: Sequence[str],
        log: Callable[[str, str], None],
        *,
        userfile: Path | None = None,
        pamservice: str = DEFAULT_PAM_SERVICE,
        shadow: Path = SHADOW,
    ) -> None:
        self._log = log
        self._userfile = userfile
        self._pamservice = pamservice
        self._shadow = shadow
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        known = {
            "getpwnam": self._getpwnam,
            "shadow": self._in_shadow,
            "userfile": self._in_userfile,
            "pam": self._pam,
        }
        self._checks = [(one, known[one]) for one in types if one in known]
        self._trusts_local = "trustlocal" in types
        for one in types:
            if one not in known and one != "trustlocal":
                log("err", f"authentication type '{one}' not known: right would be {', '.join(known)} or trustlocal")

    async def accepts(self, user: str, password: str, address: str) -> bool:
        """Whether to let this user in from this address. An empty user never; an empty password only if trusted."""
        if user and self._trusts_local and ipaddress.ip_address(address.partition("%")[0]).is_loopback:
            return True
        if not user or not password:
            self._log("err", "an undef username or password supplied")
            return False
        for name, check in self._checks:
            try:
                async with self._room, asyncio.timeout(_LONGEST_CHECK):
                    if await in_thread(partial(check, user, password, address)):
                        return True
            except TimeoutError:
                self._log("err", f"authtype {name}: no answer within {_LONGEST_CHECK:g} s")
            except (BpvsError, OSError) as error:
                self._log("err", f"authtype {name}: {error}")
        self._log("warning", f"login of '{visible(user)}' from {address} failed")
        return False

    def _getpwnam(self, user: str, password: str, address: str) -> bool:
        """The system's users; where their hashes are hidden in the shadow file, by that."""
        try:
            hashed = pwd.getpwnam(user).pw_passwd
        except KeyError:
            return False
        return self._in_shadow(user, password, address) if hashed == "x" else crypt.matches(password, hashed)

    def _in_shadow(self, user: str, password: str, _address: str) -> bool:
        """shadow(5), which only root may read."""
        for line in self._shadow.read_text("utf-8", "surrogateescape").splitlines():
            name, hashed, *_ = [*line.split(":"), ""]
            if name == user:
                return crypt.matches(password, hashed)
        return False

    def _in_userfile(self, user: str, password: str, _address: str) -> bool:
        if self._userfile is None:
            return False
        hashed = parse_users(self._userfile.read_bytes(), name=self._userfile.name).get(user)
        return hashed is not None and crypt.matches(password, hashed)

    def _pam(self, user: str, password: str, address: str) -> bool:
        return pam.authenticate(user, password, service=self._pamservice, address=address)
