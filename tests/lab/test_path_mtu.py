# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets through NAT and FullNAT that are longer than a link further on has room for.

client 10.1.0.1 ---- near ---- director, 10.9.0.100 ---- far ---- server 10.4.0.11: links 1 to 4, likewise in IPv6. What
a router has no room for it answers with an ICMP error, about a packet that neither client nor server knows as such.
What may be cut is cut by the director.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.webserver import blocks, checksum
from tests.lab.balancing import datagram_socket, text

pytestmark = pytest.mark.root

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # include/uapi/linux/in.h
SIZE = 1 << 20
NEAR_MTU, FAR_MTU = 1400, 1300
ROUTES = {
    "client": ("default via 10.1.0.2", "::/0 via fd01::2"),
    "near": ("default via 10.2.0.2", "::/0 via fd02::2"),
    "director": (
        "10.1.0.0/24 via 10.2.0.1",
        "fd01::/64 via fd02::1",
        "10.4.0.0/24 via 10.3.0.2",
        "fd04::/64 via fd03::2",
    ),
    "far": ("default via 10.3.0.1", "::/0 via fd03::1"),
    "server": ("default via 10.4.0.1", "::/0 via fd04::1"),
}
CLIENT = ("10.1.0.1", "fd01::1")
LOCAL = ("10.3.0.1", "fd03::1")
SERVER = ("10.4.0.11", "fd04::11")
VIP = ("10.9.0.100", "fd09::100")


@contextmanager
def chain() -> Iterator[dict[str, Host]]:
    """The five hosts by name; the server answers on port 80."""
    with Network() as network:
        hosts = [network.host(name) for name in ROUTES]
        for link, (left, right) in enumerate(pairwise(hosts), 1):
            switch = network.switch(f"link{link}")
            for host, interface, number in ((left, "right", 1), (right, "left", 2 if link < len(hosts) - 1 else 11)):
                network.plug(host, interface, switch, f"10.{link}.0.{number}/24", f"fd0{link}::{number}/64")
        network.configure(network.hosts["director"], *(f"address add {one} dev left" for one in VIP))
        for host, routes in zip(hosts, ROUTES.values(), strict=True):
            host.set_sysctl("net.ipv4.ip_forward", 1)
            host.set_sysctl("net.ipv6.conf.all.forwarding", 1)
            network.configure(host, *(f"route add {route}" for route in routes))
        network.hosts["server"].serve("one", 80)
        yield network.hosts


def path_mtu(host: Host, target: str) -> int:
    """What a host has learnt of the way to an address; 0: nothing."""
    words = host.run("ip", "route", "get", target).checked().out.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0


def balance(director: Host, protocol: str, option: str) -> None:
    """A service on port 80 in each family, with the only server and a local address."""
    for vip, server, local in zip(VIP, SERVER, LOCAL, strict=True):
        service = (protocol, f"{text(vip)}:80")
        director.ipvsadm("-A", *service, "-s", "rr").checked()
        director.ipvsadm("-P", *service, "-z", local).checked()
        director.ipvsadm("-a", *service, "-r", f"{text(server)}:80", option).checked()


@pytest.mark.parametrize("option", ["-m", "-b"])
def test_errors_of_routers_on_both_sides_reach_who_can_send_less(option: str, tmp_path: Path) -> None:
    with chain() as hosts:
        client, file = hosts["client"], tmp_path / "file"
        for name, targets, link, mtu in (("near", CLIENT, "left", NEAR_MTU), ("far", SERVER, "right", FAR_MTU)):
            for target in targets:
                # Not the link's own MTU: a veth drops what it *receives* above it, and tells nobody.
                hosts[name].run("ip", "route", "add", target, "dev", link, "mtu", "lock", str(mtu)).checked()
        balance(hosts["director"], "-t", option)
        for vip, local, caller in zip(VIP, LOCAL, CLIENT, strict=True):
            url = f"http://{text(vip)}/"
            client.curl("-g", "--max-time", "20", "-o", str(file), f"{url}size/{SIZE}").checked()
            assert hashlib.sha256(file.read_bytes()).hexdigest() == checksum(SIZE)
            with file.open("wb") as out:
                out.writelines(blocks(SIZE))
            told = client.curl("-g", "--max-time", "20", "-T", str(file), url).checked().out
            assert told.split() == [checksum(SIZE), str(SIZE)]
            assert path_mtu(client, vip) == FAR_MTU
            assert path_mtu(hosts["server"], local if option == "-b" else caller) == NEAR_MTU


@pytest.mark.parametrize("option", ["-m", "-b"])
def test_datagrams_that_may_be_cut_are_cut(option: str) -> None:
    """In both directions; in IPv6 their senders alone may."""
    with chain() as hosts:
        for route, mtu in (("10.1.0.0/24 via 10.2.0.1", NEAR_MTU), ("10.4.0.0/24 via 10.3.0.2", FAR_MTU)):
            hosts["director"].run("ip", "route", "change", *route.split(), "mtu", "lock", str(mtu)).checked()
        balance(hosts["director"], "-u", option)
        with (
            datagram_socket(hosts["client"], socket.AF_INET) as client,
            datagram_socket(hosts["server"], socket.AF_INET, (SERVER[0], 80)) as server,
        ):
            client.connect((VIP[0], 80))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            for size in (FAR_MTU, NEAR_MTU, 1472, 4000):
                question = bytes(place % 251 for place in range(size))
                client.send(question)
                got, caller = server.recvfrom(65536)
                assert got == question
                server.sendto(question[::-1], caller)
                assert client.recv(65536) == question[::-1]
