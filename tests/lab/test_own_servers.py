# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers that are addresses of the director, by each method, as the real IPVS delivers to them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import Routed
from tests.lab.test_datagrams import Ends, Family, families

pytestmark = pytest.mark.root

SERVICE = "10.9.0.100:80"
DELIVERED = {
    "direct routing to its own address": "10.0.1.1:80 -g",
    "NAT to another port of its own": "10.0.1.1:8080 -m",
    "direct routing to loopback": "127.0.0.1:80 -g",
    "direct routing to the virtual address": "10.9.0.100:80 -g",
    "NAT to another port of the virtual address": "10.9.0.100:8080 -m",
    "a tunnel to its own address": "10.0.1.1:80 -i",
}


@pytest.fixture
def ends(bare: Routed) -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(bare, stack)


def serve(net: Routed, server: str) -> None:
    net.director.serve("director", 80)
    net.director.serve("director", 8080)
    net.director.ipvsadm("-R", stdin=f"-A -t {SERVICE} -s rr\n-a -t {SERVICE} -r {server}\n").checked()


def counted(net: Routed) -> listing.StatsRow:
    return listing.stats(net.director.ipvsadm("-L", "-n", "--stats").checked().out)[f"TCP {SERVICE}"]


@pytest.mark.parametrize("server", DELIVERED.values(), ids=DELIVERED)
def test_it_answers_and_both_directions_are_counted(bare: Routed, server: str) -> None:
    """Direct routing and tunnels deliver to the virtual address and port, whatever the server's address."""
    serve(bare, server)
    assert bare.client.curl("--max-time", "5", f"http://{SERVICE}/").checked().out.strip() == "director"
    row = counted(bare)
    assert row.connections == 1
    assert row.in_packets >= 5
    assert row.out_packets >= 3
    states = [one.state for one in listing.connections(bare.director.ipvsadm("-L", "-c", "-n").checked().out)]
    assert states in (["TIME_WAIT"], ["ESTABLISHED"], ["CLOSE_WAIT"], ["FIN_WAIT"])


def test_nat_to_loopback_is_a_martian(bare: Routed) -> None:
    """The SYN is counted; the kernel drops it."""
    serve(bare, "127.0.0.1:80 -m")
    assert bare.client.curl("--max-time", "1.5", f"http://{SERVICE}/").code
    row = counted(bare)
    assert (row.connections, row.out_packets) == (1, 0)
    assert row.in_packets >= 1


OWN = {socket.AF_INET: "10.0.1.1", socket.AF_INET6: "fd01::1"}
METHODS = ("-m", "-g", "-i")


@families
def test_datagrams_of_any_length_come_and_go(ends: Ends, family: Family) -> None:
    """Also those that leave in fragments, those of a client on the director, and errors about a closed port."""
    director, own = ends.net.director, OWN[family.number]
    ports = {method: 53 + number for number, method in enumerate(METHODS)}
    server_ports = ports | {"-m": 5353}
    text = f"[{own}]" if ":" in own else own
    lines = [
        line
        for method, port in ports.items()
        for line in (
            f"-A -u {family.vip_text}:{port} -s rr",
            f"-a -u {family.vip_text}:{port} -r {text}:{server_ports[method]} {method}",
        )
    ]
    director.ipvsadm("-R", stdin="\n".join(lines)).checked()
    rows = listing.table(director.ipvsadm("-L", "-n").checked().out).values()
    assert [server.method for row in rows for server in row.servers.values()] == ["Local"] * len(METHODS)
    for method, port in ports.items():
        clients = {host.name: ends.open(host, family) for host in (ends.net.client, director)}
        for client in clients.values():
            client.connect((family.vip, port))
        clients[ends.net.client.name].send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            clients[ends.net.client.name].recv(10)
        server = ends.open(director, family)
        server.bind((own if method == "-m" else family.vip, server_ports[method]))
        for name, client in clients.items():
            for size in (10, 4000, 20000):
                client.send(bytes(size))
                content, peer = server.recvfrom(65536)
                assert (len(content), peer[0]) == (size, family.vip if name == director.name else family.client)
                server.sendto(content, peer)
                assert len(client.recv(65536)) == size, "from the virtual service, to which the socket is connected"
        row = ends.rows()[f"UDP {family.vip_text}:{port}"]
        assert (row.connections, row.in_packets, row.out_packets) == (2, 7, 7)


def test_up_asks_anew_whose_a_server_is(bare: Routed) -> None:
    """An address came to the director, and went, while it was a server's."""
    serve(bare, "10.0.1.77:8080 -m")
    assert listed(bare) == "Masq"
    bare.network.configure(bare.director, "address add 10.0.1.77/32 dev int")
    bare.director.bpvs("up").checked()
    assert listed(bare) == "Local"
    assert bare.client.curl("--max-time", "5", f"http://{SERVICE}/").checked().out.strip() == "director"
    bare.network.configure(bare.director, "address delete 10.0.1.77/32 dev int")
    bare.director.bpvs("up").checked()
    assert listed(bare) == "Masq"


def listed(net: Routed) -> str:
    (row,) = listing.table(net.director.ipvsadm("-L", "-n").checked().out).values()
    (server,) = row.servers.values()
    return server.method
