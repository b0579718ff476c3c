# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs proc` under real traffic: what IPVS's files would say is what ipvsadm says."""

from __future__ import annotations

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until

pytestmark = pytest.mark.root

EMPTY_TOTALS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       0        0        0                0                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       0        0        0                0                0
"""


def proc(director: Host, name: str) -> str:
    return director.bpvs("proc", name).checked().out


def figures(line: str) -> list[int]:
    return [int(word, 16) for word in line.split()]


def counted(director: Host) -> list[int]:
    return figures(proc(director, "ip_vs_stats").splitlines()[2])


def of_service(director: Host, name: str) -> list[int]:
    row = listing.stats(director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)[name]
    return [row.connections, row.in_packets, row.out_packets, row.in_bytes, row.out_bytes]


def address(text: str, digits: str) -> str:
    parts = (str(byte) for byte in bytes.fromhex(text))
    return f"{'.'.join(parts)}:{int(digits, 16)}"


def test_the_files_say_what_ipvsadm_says(net: Routed) -> None:
    director = net.director
    assert proc(director, "ip_vs_stats") == EMPTY_TOTALS
    assert len(proc(director, "ip_vs").splitlines()) == 3
    for port in (80, 81):
        director.ipvsadm("-A", "-t", f"{net.vip}:{port}", "-s", "rr").checked()
        director.ipvsadm("-a", "-t", f"{net.vip}:{port}", "-r", "10.0.1.11:8080", "-m").checked()
    net.client.curl(*(f"http://{net.vip}:{port}/" for port in (80, 81, 81))).checked()
    until(lambda: figures(proc(director, "ip_vs_stats").splitlines()[5])[1] > 0, "the estimator's next tick")

    web, other = (of_service(director, f"TCP {net.vip}:{port}") for port in (80, 81))
    both = [one + two for one, two in zip(web, other, strict=True)]
    assert counted(director) == both
    cpus, total = proc(director, "ip_vs_stats_percpu").split("  ~ ")
    by_cpu = [figures(line)[1:] for line in cpus.splitlines()[2:]]
    assert [sum(column) for column in zip(*by_cpu, strict=True)] == figures(total.splitlines()[0]) == both
    assert f"TCP  0A090064:0050 rr  \n  -> 0A00010B:1F90      Masq    1  {' ' * 4}" in proc(director, "ip_vs")

    seen = listing.connections(director.ipvsadm("-L", "-c", "-n").checked().out)
    rows = [line.split() for line in proc(director, "ip_vs_conn").splitlines()[1:]]
    ends = [(row[0], row[7], address(*row[1:3]), address(*row[3:5]), address(*row[5:7])) for row in rows]
    assert sorted(ends) == sorted((one.protocol, one.state, one.client, one.virtual, one.server) for one in seen)
    assert len(rows) == len(proc(director, "ip_vs_conn_sync").splitlines()) - 1 >= 2

    director.ipvsadm("-Z", "-t", f"{net.vip}:80").checked()
    assert counted(director) == both
    director.ipvsadm("-D", "-t", f"{net.vip}:81").checked()
    assert counted(director) == both
    director.ipvsadm("-Z").checked()
    assert counted(director) == [0] * 5
    assert cpus == proc(director, "ip_vs_stats_percpu").split("  ~ ")[0]
