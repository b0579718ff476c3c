# SPDX-License-Identifier: GPL-2.0-or-later
"""From hosts to addresses."""

from __future__ import annotations

import socket
import time

from bpvs.model import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# How long an answer of the resolver is taken for the present one. When it fails the last answer holds for ever: in an
# outage the name servers may be among the dead.
FRESH = 60.0


def look_up(host: str) -> frozenset[Address]:
    """All addresses of a name, by the system's resolver; empty if it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(Address.parse(str(where[0]).partition("%")[0]) for *_, where in found)


class Resolver:
    """Addresses of hosts, remembered; an address in figures is itself. It may block: for a thread."""

    def __init__(self, ask: Callable[[str], frozenset[Address]] = look_up) -> None:
        self._ask = ask
        self._known: dict[str, tuple[float, frozenset[Address]]] = {}

    def addresses(self, host: str) -> frozenset[Address]:
        """Empty if nobody knows the name."""
        try:
            return frozenset((Address.parse(host),))
        except ValueError:
            pass
        now = time.monotonic()
        asked, found = self._known.get(host, (now - FRESH, frozenset[Address]()))
        if now - asked >= FRESH:
            found = self._ask(host) or found
            if found:
                self._known[host] = now, found
        return found
