# SPDX-License-Identifier: GPL-2.0-or-later
"""expire.h: connections end by the kernel's own timers, with no process of ours alive."""

from __future__ import annotations

import socket
import time

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.shell import run
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from tests.closing import reset_on_close

pytestmark = pytest.mark.root

CLOSE_SECONDS = 10


def inactive(director: Host) -> int:
    rows = listing.table(director.ipvsadm("-L", "-n").checked().out)["TCP 10.9.0.100:80"].servers
    return sum(row.inactive + row.active for row in rows.values())


def test_a_closed_connection_disappears_after_its_timeout(net: Routed) -> None:
    net.director.ipvsadm("-A", "-t", "10.9.0.100:80", "-s", "rr").checked()
    net.director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", "10.0.1.11:8080", "-m").checked()
    with net.client.inside(), socket.create_connection((net.vip, 80), 5) as client:
        reset_on_close(client)
    closed = time.monotonic()
    assert inactive(net.director) == 1
    assert run(["ip", "netns", "pids", net.director.name]).checked().out == ""

    until(lambda: inactive(net.director) == 0, "the server's counts back at zero", CLOSE_SECONDS + 5)
    assert CLOSE_SECONDS - 1 <= time.monotonic() - closed <= CLOSE_SECONDS + 4
    assert listing.connections(net.director.ipvsadm("-L", "-c", "-n").checked().out) == []


def test_packets_of_either_side_put_the_end_off(net: Routed) -> None:
    net.director.ipvsadm("-A", "-t", "10.9.0.100:80", "-s", "rr").checked()
    net.director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", "10.0.1.11:8080", "-m").checked()

    def expires() -> int:
        (row,) = listing.connections(net.director.ipvsadm("-L", "-c", "-n").checked().out)
        return row.expires

    with net.client.inside(), socket.create_connection((net.vip, 80), 5) as client:
        until(lambda: expires() <= 897, "three seconds of silence")
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(1000) != b""
        assert expires() >= 898


def test_timeouts_that_are_set_count_at_once(net: Routed) -> None:
    for line in ("-A -u 10.9.0.100:53 -s rr", "-a -u 10.9.0.100:53 -r 10.0.1.11:53 -m", "-A -t 10.9.0.100:80 -s rr"):
        net.director.ipvsadm(*line.split()).checked()
    net.director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", "10.0.1.11:8080", "-m").checked()

    def left() -> dict[str, int]:
        rows = listing.connections(net.director.ipvsadm("-L", "-c", "-n").checked().out)
        return {row.protocol: row.expires for row in rows}

    with (
        net.client.inside(),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_connection((net.vip, 80), 5),
    ):
        datagrams.sendto(b"question", (net.vip, 53))
        assert left().keys() == {"TCP", "UDP"} and left()["UDP"] > 290
        net.director.ipvsadm("--set", "500", "0", "2").checked()
        assert net.director.ipvsadm("-L", "--timeout").checked().out == "Timeout (tcp tcpfin udp): 500 120 2\n"
        assert 490 < left()["TCP"] <= 500
        until(lambda: "UDP" not in left(), "the UDP connection to end", 2 + 4)
        assert left().keys() == {"TCP"}
