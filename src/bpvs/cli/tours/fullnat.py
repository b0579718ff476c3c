# SPDX-License-Identifier: GPL-2.0-or-later
"""FullNAT: the director puts its own address in the client's place, so the answer finds back without being a router."""

from __future__ import annotations

from bpvs.cli.tours.step import Tour, balanced
from bpvs.lab.topology import detached

TOUR = Tour(
    title="FullNAT: the director is the client of the servers, which know no way to the real one",
    picture="""\
                               ┌── director 10.0.1.2, VIP 10.0.1.100, local address 10.0.1.201
 client 10.9.0.2 ─── router ───┤
                               └──┬── server1 10.0.2.11, a route to 10.0.1.0/24 alone
                                  └── server2 10.0.2.12
""",
    topology=detached,
    steps=balanced("10.0.1.100", ("10.0.2.11", "10.0.2.12"), "-b", "10.0.1.201"),
    path=(
        *("client out", "director in", "director out", "server1 in"),
        *("server1 out", "director in", "director out", "client in"),
        *("client out", "director in", "director out", "server1 in"),
    ),
    flags=("SYN", "SYN ACK", "ACK"),
)
