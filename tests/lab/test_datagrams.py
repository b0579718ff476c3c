# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP services, and ICMP errors of their flows in both directions."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until

pytestmark = pytest.mark.root

IP_RECVERR = 11
IPV6_RECVERR = 25
PORT_UNREACHABLE = {socket.AF_INET: (2, 3, 3), socket.AF_INET6: (3, 1, 4)}  # origin, type, code of sock_extended_err


@dataclass
class Family:
    """One address family of the routed network, in the notations that a test needs."""

    number: socket.AddressFamily
    vip: str
    vip_text: str
    server: str
    server_text: str
    client: str


FOUR = Family(socket.AF_INET, "10.9.0.100", "10.9.0.100", "10.0.1.11", "10.0.1.11", "10.9.0.2")
SIX = Family(socket.AF_INET6, "fd09::100", "[fd09::100]", "fd01::11", "[fd01::11]", "fd09::2")
families = pytest.mark.parametrize("family", [FOUR, SIX], ids=["ipv4", "ipv6"])


class Ends:
    """Sockets made on the machines of the network, all closed at the end."""

    def __init__(self, net: Routed, stack: ExitStack) -> None:
        self.net = net
        self._stack = stack

    def balance(self, family: Family) -> None:
        service = ("-u", f"{family.vip_text}:53")
        self.net.director.ipvsadm("-A", *service, "-s", "rr").checked()
        self.net.director.ipvsadm("-a", *service, "-r", f"{family.server_text}:5353", "-m").checked()

    def open(self, host: Host, family: Family) -> socket.socket:
        with host.inside():
            made = self._stack.enter_context(socket.socket(family.number, socket.SOCK_DGRAM))
        made.settimeout(5)
        return made

    def client(self, family: Family) -> socket.socket:
        """Connected: it hears only the virtual address, and learns of ICMP errors."""
        made = self.open(self.net.client, family)
        made.connect((family.vip, 53))
        return made

    def server(self, family: Family) -> socket.socket:
        made = self.open(self.net.servers[0], family)
        made.bind((family.server, 5353))
        return made

    def rows(self) -> dict[str, listing.StatsRow]:
        return listing.stats(self.net.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)


@pytest.fixture
def ends(bare: Routed) -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(bare, stack)


def offender(sock: socket.socket, family: Family) -> tuple[tuple[int, int, int], str]:
    """(origin, type, code) and the sender's address of the ICMP error in the socket's error queue."""
    assert select.select([sock], [], [], 5)[0] == [sock]
    _data, ancillary, _flags, _address = sock.recvmsg(100, 512, socket.MSG_ERRQUEUE)
    ((_level, _kind, error),) = ancillary
    sender = error[16:]  # a sockaddr behind struct sock_extended_err
    packed = sender[4:8] if family is FOUR else sender[8:24]
    return (error[4], error[5], error[6]), socket.inet_ntop(family.number, packed)


@families
def test_a_datagram_and_its_answer(ends: Ends, family: Family) -> None:
    ends.balance(family)
    client, server = ends.client(family), ends.server(family)
    client.send(b"question")
    question, address = server.recvfrom(100)
    assert (question, address[0], address[1]) == (b"question", family.client, client.getsockname()[1])
    server.sendto(b"answer", address)
    assert client.recv(100) == b"answer"

    (row,) = listing.connections(ends.net.director.ipvsadm("-L", "-c", "-n").checked().out)
    assert (row.protocol, row.state) == ("UDP", "UDP")
    assert 295 <= row.expires <= 300
    server_row = listing.table(ends.net.director.ipvsadm("-L", "-n").checked().out)[f"UDP {family.vip_text}:53"].servers
    assert [(one.active, one.inactive) for one in server_row.values()] == [(0, 1)]


def echo(ends: Ends, family: Family, sizes: tuple[int, ...]) -> None:
    """Datagrams of these sizes there and back."""
    client, server = ends.client(family), ends.server(family)
    for size in sizes:
        text = bytes(number % 251 for number in range(size))
        client.send(text)
        got, address = server.recvfrom(65536)
        assert got == text, f"{size} bytes to the server"
        server.sendto(text, address)
        assert client.recv(65536) == text, f"{size} bytes to the client"


@families
def test_datagrams_of_all_sizes_that_fit_a_packet_pass_unchanged(ends: Ends, family: Family) -> None:
    ends.balance(family)
    echo(ends, family, (0, 1, 2, 3, 1000, 1451, 1452))


@families
def test_datagrams_in_fragments_pass_unchanged(ends: Ends, family: Family) -> None:
    ends.balance(family)
    echo(ends, family, (1473, 8000))


@families
def test_a_servers_port_unreachable_reaches_the_client_from_the_virtual_address(ends: Ends, family: Family) -> None:
    ends.balance(family)
    client = ends.client(family)
    if family is FOUR:
        client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        client.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    client.send(b"anybody?")
    assert offender(client, family) == (PORT_UNREACHABLE[family.number], family.vip)
    row = ends.rows()[f"UDP {family.vip_text}:53"]
    assert (row.connections, row.in_packets, row.out_packets) == (1, 1, 1)


@families
def test_a_clients_port_unreachable_reaches_the_server_whose_answer_it_was(ends: Ends, family: Family) -> None:
    ends.balance(family)
    client, server = ends.client(family), ends.server(family)
    client.send(b"question")
    _question, address = server.recvfrom(100)
    client.close()
    server.connect(address)
    server.send(b"too late")
    with pytest.raises(ConnectionRefusedError):
        server.recv(100)
    row = ends.rows()[f"UDP {family.vip_text}:53"]
    assert (row.in_packets, row.out_packets) == (2, 1)


@families
def test_a_service_without_servers_is_unreachable(ends: Ends, family: Family) -> None:
    ends.net.director.ipvsadm("-A", "-u", f"{family.vip_text}:53", "-s", "rr").checked()
    client = ends.client(family)
    client.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        client.recv(100)


def test_datagrams_of_one_client_port_stay_with_one_server(ends: Ends) -> None:
    ends.net.director.ipvsadm("-A", "-u", "10.9.0.100:53", "-s", "rr").checked()
    listeners = []
    for host, address in zip(ends.net.servers, ends.net.addresses, strict=True):
        ends.net.director.ipvsadm("-a", "-u", "10.9.0.100:53", "-r", f"{address}:53", "-m").checked()
        listeners.append(ends.open(host, FOUR))
        listeners[-1].bind((address, 53))
    one, other = ends.client(FOUR), ends.client(FOUR)
    for _ in range(3):
        one.send(b"one")
        assert listeners[2].recv(100) == b"one"
        other.send(b"other")
        assert listeners[1].recv(100) == b"other"


def test_a_full_table_refuses_new_flows_and_keeps_the_old_ones(ends: Ends) -> None:
    """No flood can push out an established flow; what is refused has its own count."""
    limit, more = 1024, 50
    ends.net.director.bpvs("up", "--connections", str(limit)).checked()
    ends.balance(FOUR)
    server = ends.server(FOUR)
    clients = [ends.client(FOUR) for _ in range(limit + more)]
    for client in clients[:limit]:
        client.send(b"first")
        assert server.recv(100) == b"first"
    for client in clients[limit:]:
        client.send(b"too many")

    def refused() -> int:
        told = json.loads(ends.net.director.bpvs("status", "--json").checked().out)["verdicts"]
        return sum(count for name, count in told.items() if name.startswith("DROP_"))

    until(lambda: refused() == more, f"{more} datagrams dropped with a reason")
    assert ends.rows()["UDP 10.9.0.100:53"].connections == limit
    clients[0].send(b"still here")
    answer, address = server.recvfrom(100)
    assert answer == b"still here"
    server.sendto(b"so am I", address)
    assert clients[0].recv(100) == b"so am I"
