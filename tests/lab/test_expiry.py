# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections end by the kernel's own timers, with no process of ours alive."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.shell import run
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until

pytestmark = pytest.mark.root

CLOSE_SECONDS = 10


def inactive(director: Host) -> int:
    rows = listing.table(director.ipvsadm("-L", "-n").checked().out)["TCP 10.9.0.100:80"].servers
    return sum(row.inactive + row.active for row in rows.values())


def test_a_closed_connection_disappears_after_its_timeout(net: Routed) -> None:
    net.director.ipvsadm("-A", "-t", "10.9.0.100:80", "-s", "rr").checked()
    net.director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", "10.0.1.11:8080", "-m").checked()
    with net.client.inside(), socket.create_connection((net.vip, 80), 5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
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
