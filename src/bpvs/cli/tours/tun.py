# SPDX-License-Identifier: GPL-2.0-or-later
"""TUN: the director sends the packet whole behind an outer header; the server may be anywhere."""

from __future__ import annotations

from bpvs.cli.tours.step import Step, Tour, balanced
from bpvs.lab.topology import apart

VIP = "10.0.1.100"

TOUR = Tour(
    title="Tunnels: the director wraps the packet up; the servers are in another network and answer directly",
    picture="""\
                               ┌── director 10.0.1.2, VIP 10.0.1.100
 client 10.9.0.2 ─── router ───┤
                               └──┬── server1 10.0.2.11, VIP on lo
                                  └── server2 10.0.2.12, VIP on lo
""",
    topology=apart,
    steps=(
        *(Step(f"bpvs realserver up --vip {VIP} >/dev/null", host=server) for server in ("server1", "server2")),
        *balanced(VIP, ("10.0.2.11", "10.0.2.12"), "-i"),
    ),
    path=("client out", "director in", "director out", "server1 in", "server1 out", "client in"),
)
