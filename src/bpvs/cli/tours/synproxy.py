# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNPROXY: the director shakes hands with the client first, and remembers nothing until that has answered."""

from __future__ import annotations

from bpvs.cli.tours.step import Tour, balanced
from bpvs.lab.topology import routed

TOUR = Tour(
    title="SYNPROXY: the director answers the SYN with a cookie; a server hears only of clients that are there",
    picture="""\
                   VIP 10.9.0.100      ┌── server1 10.0.1.11
 client 10.9.0.2 ───── director ───────┤
                                       └── server2 10.0.1.12
""",
    topology=routed,
    steps=balanced("10.9.0.100", ("10.0.1.11:80", "10.0.1.12:80"), "-m", service=" -j enable"),
    path=(
        *("client out", "director in", "director out", "client in"),
        *("client out", "director in", "director out", "server1 in"),
        *("server1 out", "director in"),
    ),
    flags=("SYN", "SYN ACK", "ACK"),
)
