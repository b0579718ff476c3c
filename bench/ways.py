# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of forwarding that are measured; each has a virtual service of its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bpvs.model import Address, Family, Method

TO_SERVER = "client to server"
TO_CLIENT = "server to client"
NEW = "new connection"
COOKIE = "SYN answered"

VIRTUAL = {Family.IPV4: Address.parse("10.77.0.100"), Family.IPV6: Address.parse("fd77::100")}
LOCALS = tuple(Address.parse(f"10.77.0.{number}") for number in range(200, 208))


@dataclass(frozen=True, slots=True)
class Way:
    """One way of forwarding: what is sent along it, and how many ns above the floor it may take in XDP.

    `grows`: its packets change their size, so that they cannot be run again and again without a network.
    """

    name: str
    port: int
    method: Method
    families: tuple[Family, ...]
    budgets: dict[str, int]
    synproxy: bool = False
    grows: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The traffic that is measured."""
        return tuple(self.budgets)


_BOTH, _IPV4 = tuple(Family), (Family.IPV4,)
WAYS = (
    Way("NAT", 80, Method.NAT, _BOTH, {TO_SERVER: 85, TO_CLIENT: 85, NEW: 600}),
    Way("DR", 81, Method.ROUTE, _IPV4, {TO_SERVER: 65, NEW: 600}),
    Way("TUN", 82, Method.TUNNEL, _IPV4, {TO_SERVER: 65, NEW: 600}, grows=True),
    Way("FullNAT", 83, Method.FULLNAT, _IPV4, {TO_SERVER: 85, TO_CLIENT: 85, NEW: 600}),
    Way("SYNPROXY", 84, Method.NAT, _IPV4, {COOKIE: 150}, synproxy=True, grows=True),
)
