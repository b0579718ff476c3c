# SPDX-License-Identifier: GPL-2.0-or-later
"""FullNAT's local addresses: used in turn, taken away, of the servers' family."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from bpvs.lab.webserver import blocks, checksum
from bpvs.model import Method
from tests.lab.balancing import KINDS, Balanced, balanced, datagram_socket, use_xdp
from tests.packets import books
from tests.packets.frames import Path as Ends
from tests.packets.rig import loaded

pytestmark = pytest.mark.root

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0  # include/uapi/linux/in.h


@pytest.fixture(params=["ipv4", "ipv6"])
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced("fullnat", request.param) as made:
        made.add()
        yield made


def local_addresses(site: Balanced, count: int) -> Counter[str]:
    """Under which addresses the servers saw that many connections."""
    return Counter(line.split()[0] for line in site.ask(count, "client"))


def test_local_addresses_are_used_evenly(site: Balanced) -> None:
    assert local_addresses(site, 20) == dict.fromkeys(site.locals, 10)


def test_a_removed_local_address_finishes_its_connections(site: Balanced) -> None:
    with site.net.client.inside():
        sockets = [socket.create_connection((site.vip, 80), 5) for _ in range(2)]
    try:
        seen = [told(sock) for sock in sockets]
        assert set(seen) == set(site.locals)
        for gone in site.locals:
            site.net.director.ipvsadm("-Q", *site.service(), "-z", gone).checked()
            assert [told(sock) for sock in sockets] == seen
            if gone == site.locals[0]:
                assert set(local_addresses(site, 4)) == {site.locals[1]}
        refused = site.net.client.curl("-g", "--connect-timeout", "1", site.url())
        assert refused.code == 28, "without a local address no new connection begins"
    finally:
        for sock in sockets:
            sock.close()


def told(sock: socket.socket, connection: str = "keep-alive") -> str:
    """The client's address as the server sees it, asked on a connection that stays open, or that it closes."""
    sock.sendall(f"GET /client HTTP/1.1\r\nConnection: {connection}\r\n\r\n".encode())
    answer = b""
    while not (answer.endswith(b"\n") and b"\r\n\r\n" in answer):
        answer += sock.recv(4096)
    return answer.split(b"\r\n\r\n")[1].split()[0].decode()


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_full_segments_pass_a_narrower_way_to_the_server(family: str) -> None:
    """A client that has learnt its MTU sends segments to which TOA cannot be added, and at first nothing but those."""
    with balanced("fullnat", family) as site:
        site.add()
        farm = "fd02::/64" if site.is_ipv6 else "10.0.2.0/24"
        flag, kept = ("-6", ("proto", "kernel", "metric", "256")) if site.is_ipv6 else ("-4", ())
        site.net.router.run("ip", flag, "route", "replace", farm, "dev", "far", *kept, "mtu", "1400").checked()
        for _ in range(3):
            assert put(site, 100_000) == [checksum(100_000), "100000"]
        route = site.net.client.run("ip", flag, "route", "get", site.vip).checked().out
        assert "mtu 1400" in route, "the client has learnt of the way"


def put(site: Balanced, size: int) -> list[str]:
    """What a server has received of a request that is sent in one piece: its checksum and its size."""
    head = f"PUT / HTTP/1.1\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    with site.net.client.inside():
        sock = socket.create_connection((site.vip, 80), 5)
    with sock, sock.makefile("rb") as answer:
        sock.sendall(head.encode() + b"".join(blocks(size)))
        return answer.read().decode().split("\r\n\r\n")[1].split()


def test_a_port_comes_back_while_the_server_remembers_it() -> None:
    """Other clients' numbers and time stamps may be older than those in its TIME_WAIT: it asks, they answer."""
    clients = [f"10.9.0.{number}" for number in range(30, 36)]
    with balanced("fullnat", "ipv4") as site:
        service, local, server = " ".join(site.service()), site.locals[0], site.servers[0]
        lines = (f"-A {service} -s rr", f"-P {service} -z {local}", f"-a {service} -r {server}:80 -b", "")
        site.net.director.ipvsadm("-R", stdin="\n".join(lines)).checked()
        site.net.network.configure(site.net.client, *(f"address add {one}/24 dev eth0" for one in clients))
        path = Ends(site.client, site.vip, 80, server, 80, method=Method.FULLNAT, local=local)
        for client in clients:
            with site.net.director.inside():
                books.fill(path, free={5000})
            with site.net.client.inside():
                sock = socket.create_connection((site.vip, 80), 10, (client, 0))
            with sock:
                assert told(sock, "close") == local
                assert not sock.recv(1), "the server is the first to close"
            with site.net.director.inside():
                until(lambda: ended(path), "the director to forget the connection", 10)
        assert f"{server}]:80" in site.net.servers[0].run("ss", "-tanH", "state", "time-wait").out


def ended(path: Ends) -> bool:
    """Whether the only connection has expired; it was last seen long ago."""
    loaded().conns.store(0, "seen", 1)
    return 5000 not in books.read(path).taken


def test_ipv6_clients_reach_ipv4_servers(tmp_path: Path) -> None:
    with balanced("fullnat", "ipv6") as site:
        add_ipv4_servers(site, "-t")
        assert site.ask(6) == ["three", "two", "one"] * 2
        assert set(local_addresses(site, 4)) == set(site.net.locals)
        assert site.download(8 << 20, tmp_path)
        assert site.upload(8 << 20, tmp_path)


def add_ipv4_servers(site: Balanced, protocol: str) -> None:
    """An IPv6 service with the IPv4 addresses of servers and director."""
    service = " ".join(site.service(protocol))
    lines = [f"-A {service} -s rr", *(f"-P {service} -z {local}" for local in site.net.locals)]
    lines += [f"-a {service} -r {server}:80 -b" for server in site.net.addresses]
    site.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_datagrams_of_all_sizes_between_ipv6_clients_and_ipv4_servers(hook: str) -> None:
    """What comes in fragments leaves in fragments; a reply of full size that may be cut becomes two, too long by 8."""
    with KINDS["fullnat"].topology(False) as net:
        if hook == "xdp":
            use_xdp(net)
        site = Balanced(net, KINDS["fullnat"], is_ipv6=True)
        add_ipv4_servers(site, "-u")
        with (
            datagram_socket(net.client, socket.AF_INET6) as client,
            datagram_socket(net.servers[2], socket.AF_INET, (net.addresses[2], 80)) as server,
        ):
            client.connect((site.vip, 80))
            server.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
            for size in (0, 1452, 1453, 1472, 1473, 8000, 60_000):
                question = bytes(number % 251 for number in range(size))
                client.send(question)
                got, address = server.recvfrom(65536)
                assert got == question, f"{size} bytes to the server"
                server.sendto(question[::-1], address)
                assert client.recv(65536) == question[::-1], f"{size} bytes to the client"
