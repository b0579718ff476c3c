# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams without DF through tunnels that they do not fit: whole at the server, answered from there."""

from __future__ import annotations

import socket

import pytest

from bpvs.lab.host import Host
from bpvs.lab.topology import remote
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


@pytest.mark.parametrize("words", TUNNELS.values(), ids=TUNNELS)
def test_datagrams_of_every_size_arrive_whole(words: tuple[str, ...]) -> None:
    with remote() as net:
        service = ("-u", f"{net.vip}:{PORT}")
        net.director.ipvsadm("-A", *service, "-s", "rr").checked()
        net.director.ipvsadm("-a", *service, "-r", f"{net.addresses[0]}:{PORT}", *words).checked()
        with (
            datagram_socket(net.servers[0], socket.AF_INET, (net.vip, PORT)) as server,
            datagram_socket(net.client, socket.AF_INET) as client,
        ):
            client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            for size in SIZES:
                client.sendto(content(size), (net.vip, PORT))
                got, sender = server.recvfrom(1 << 16)
                assert got == content(size), size
                server.sendto(str(size).encode(), sender)
                assert client.recvfrom(100) == (str(size).encode(), (net.vip, PORT))
        assert kernel_cut(net.director) == 0
