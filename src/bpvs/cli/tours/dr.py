# SPDX-License-Identifier: GPL-2.0-or-later
"""DR: the director changes nothing but the frame; the server answers as the virtual address, past the director."""

from __future__ import annotations

from bpvs.cli.tours.step import Step, Tour, balanced
from bpvs.lab.topology import beside

VIP = "10.0.1.100"

TOUR = Tour(
    title="Direct routing: the director only changes the frame; the servers answer the client directly",
    picture="""\
                               ┌── director 10.0.1.2,  VIP 10.0.1.100
 client 10.9.0.2 ─── router ───┼── server1  10.0.1.11, VIP on lo
                               └── server2  10.0.1.12, VIP on lo
""",
    topology=beside,
    steps=(
        *(Step(f"bpvs realserver up --vip {VIP} >/dev/null", host=server) for server in ("server1", "server2")),
        *balanced(VIP, ("10.0.1.11", "10.0.1.12"), "-g"),
    ),
    path=("client out", "director in", "director out", "server1 in", "server1 out", "client in"),
)
