# SPDX-License-Identifier: GPL-2.0-or-later
"""NAT: the director rewrites the destination, and as the servers' router the source of their answers."""

from __future__ import annotations

from bpvs.cli.tours.step import Tour, balanced
from bpvs.lab.topology import routed

TOUR = Tour(
    title="NAT: the director changes the destination, and on the way back the source; it is the servers' router",
    picture="""\
                   VIP 10.9.0.100      ┌── server1 10.0.1.11
 client 10.9.0.2 ───── director ───────┤
                                       └── server2 10.0.1.12
""",
    topology=routed,
    steps=balanced("10.9.0.100", ("10.0.1.11:80", "10.0.1.12:80"), "-m"),
    path=(
        *("client out", "director in", "director out", "server1 in"),
        *("server1 out", "director in", "director out", "client in"),
    ),
)
