# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams without DF that do not fit their tunnel, or their link: whole at the server, answered from there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bpvs.lab.host import Host
from bpvs.lab.topology import Routed, direct, remote
from bpvs.lab.wait import until
from tests.lab.balancing import datagram_socket

pytestmark = pytest.mark.root

TUNNELS = {
    "ipip": ("-i",),
    "gue with checksum": ("-i", "--tun-type", "gue", "--tun-port", "6080", "--tun-csum"),
}
PORT = 9000
# around the least that is cut, of two and of many fragments of the client's
SIZES = (100, 1400, 1440, 1441, 1452, 1453, 1472, 1473, 2900, 3000, 8000, 20000)
IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # linux/in.h


def content(size: int) -> bytes:
    return bytes((place * 7 + size) % 251 for place in range(size))


def kernel_cut(host: Host) -> int:
    """Fragments that the host's kernel has made: outer packets, where it had to cut."""
    names, values = (
        line.split() for line in host.run("cat", "/proc/net/snmp").checked().out.splitlines() if line.startswith("Ip:")
    )
    return int(values[names.index("FragCreates")])


@contextmanager
def ends(net: Routed, *words: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A service of that way of forwarding; its server's socket, and its client's, which allows cutting."""
    service = ("-u", f"{net.vip}:{PORT}")
    net.director.ipvsadm("-A", *service, "-s", "rr").checked()
    net.director.ipvsadm("-a", *service, "-r", f"{net.addresses[0]}:{PORT}", *words).checked()
    with (
        datagram_socket(net.servers[0], socket.AF_INET, (net.vip, PORT)) as server,
        datagram_socket(net.client, socket.AF_INET) as client,
    ):
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
        client.connect((net.vip, PORT))
        yield server, client


def arrive_whole(server: socket.socket, client: socket.socket) -> None:
    for size in SIZES:
        client.send(content(size))
        got, sender = server.recvfrom(1 << 16)
        assert got == content(size), size
        server.sendto(str(size).encode(), sender)
        assert client.recv(100) == str(size).encode()


@pytest.mark.parametrize("words", TUNNELS.values(), ids=TUNNELS)
def test_datagrams_of_every_size_arrive_whole(words: tuple[str, ...]) -> None:
    """Also when a router on the way has told of a narrower path; what it was told of is lost."""
    with remote() as net, ends(net, *words) as (server, client):
        arrive_whole(server, client)
        for host, link in ((net.router, "far"), (net.servers[0], "eth0")):
            net.network.configure(host, f"link set {link} mtu 1300")
        server.settimeout(0.2)

        def gets_through() -> bool:
            client.send(content(1440))
            try:
                return server.recv(1 << 16) == content(1440)
            except TimeoutError:
                return False

        until(gets_through, "a datagram of 1440 bytes to get through")
        server.settimeout(5)
        arrive_whole(server, client)
        assert kernel_cut(net.director) == kernel_cut(net.router) == 0


def test_datagrams_of_every_size_arrive_whole_by_direct_routing() -> None:
    with direct() as net:
        net.network.configure(net.director, f"route add {net.addresses[0]}/32 dev eth0 mtu lock 1300")
        with ends(net, "-g") as (server, client):
            arrive_whole(server, client)
        assert kernel_cut(net.director) == 0
