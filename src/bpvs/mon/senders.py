# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may send traps: the trap section of auth.cf, with its hosts as addresses."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon import crypt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.model.mon.auth import TrapSender

_ANY = "*"
_MOST_KNOWN = 256


class Stranger(BpvsError):
    """A trap is refused; the sentence is mon's."""


class Senders:
    """The entries of one reading of auth.cf. If some are for every host (`*`), only these count, as with mon.

    Names are resolved here, once: that may wait for DNS. `unresolved` are those that have no address.
    """

    def __init__(self, entries: Iterable[TrapSender]) -> None:
        self.unresolved: list[str] = []
        self._hashes: dict[str, dict[str, str]] = {}  # address or `*` -> user -> hash
        for entry in entries:
            for address in self._addresses(entry.host):
                self._hashes.setdefault(address, {})[entry.user] = entry.hash
        self._known: OrderedDict[bytes, None] = OrderedDict()  # credentials that were right
        self._salt = secrets.token_bytes(32)

    def hash_for(self, address: str, user: str) -> str | None:
        """The hash that the user's password must have; None: the host needs no credentials. Stranger."""
        users = self._hashes.get(_ANY) or self._hashes.get(_plain(address))
        if users is None:
            raise Stranger(f"received trap from unauthorized host: {address}")
        if _ANY in users:
            return None
        if user == _ANY or user not in users:
            raise Stranger(f"received trap from unknown user {user}, host {address}")
        return users[user]

    def knows(self, hashed: str, password: str) -> bool:
        """Whether check() found this password right before."""
        return self._digest(hashed, password) in self._known

    def check(self, hashed: str, password: str) -> bool:
        """Whether the password is right; takes as long as hashes are made to take."""
        if not crypt.matches(password, hashed):
            return False
        self._known[self._digest(hashed, password)] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return True

    def _digest(self, hashed: str, password: str) -> bytes:
        """What is remembered of credentials: nothing that anybody could use."""
        data = f"{hashed}\0{password}".encode("utf-8", "surrogateescape")
        return blake2b(data, key=self._salt, digest_size=32).digest()

    def _addresses(self, host: str) -> list[str]:
        if host == _ANY:
            return [host]
        try:
            return [_plain(host)]
        except ValueError:
            pass
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except OSError:
            self.unresolved.append(host)
            return []
        return list(dict.fromkeys(_plain(str(address[0])) for *_, address in found))


def _plain(address: str) -> str:
    return str(ipaddress.ip_address(address.partition("%")[0]))
