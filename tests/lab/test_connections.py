# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection table step by step: states, counts, reuse, and what becomes of connections when the table changes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from tests.closing import reset_on_close

pytestmark = pytest.mark.root

SERVICE = "TCP 10.9.0.100:80"
SERVER = "10.0.1.11:9000"
SILENCE = 0.6  # seconds; longer than the retransmission of a request whose way is open


class Conversation:
    """One client and one server socket that meet through the director, each moved by the test."""

    def __init__(self, net: Routed) -> None:
        self.net = net
        with net.servers[0].inside():
            self.listener = socket.create_server(("10.0.1.11", 9000))
        with net.client.inside():
            self.client = socket.socket()
        for one in (self.listener, self.client):
            one.settimeout(5)
        self.server = self.client

    def connect(self) -> None:
        self.client.connect((self.net.vip, 80))
        self.server, _address = self.listener.accept()
        self.server.settimeout(5)

    def close(self) -> None:
        for one in (self.client, self.server, self.listener):
            one.close()

    def carries(self, text: bytes) -> bool:
        """Whether `text` goes from the client to the server and back."""
        self.client.sendall(text)
        self.server.sendall(self.server.recv(len(text)))
        return self.client.recv(len(text)) == text

    def await_state(self, state: str, active: int, inactive: int, expires: int) -> None:
        """The listing shows one connection in `state` with at most `expires` seconds left, and the server's counts."""

        def shown() -> bool:
            rows = connections(self.net.director)
            return [row.state for row in rows] == [state] and expires - 5 <= rows[0].expires <= expires

        until(shown, f"one connection in {state} for {expires} s: {connections(self.net.director)}")
        row = servers(self.net.director)[SERVER]
        assert (row.active, row.inactive) == (active, inactive)


@pytest.fixture
def talk(bare: Routed) -> Iterator[Conversation]:
    bare.director.ipvsadm("-A", "-t", "10.9.0.100:80", "-s", "rr").checked()
    add_server(bare.director)
    with closing(Conversation(bare)) as conversation:
        yield conversation


def add_server(director: Host, command: str = "-a", *more: str) -> None:
    director.ipvsadm(command, "-t", "10.9.0.100:80", "-r", SERVER, "-m", *more).checked()


def remove_server(director: Host) -> None:
    director.ipvsadm("-d", "-t", "10.9.0.100:80", "-r", SERVER).checked()


def connections(director: Host) -> list[listing.ConnectionRow]:
    return listing.connections(director.ipvsadm("-L", "-c", "-n").checked().out)


def servers(director: Host) -> dict[str, listing.ServerRow]:
    return listing.table(director.ipvsadm("-L", "-n").checked().out)[SERVICE].servers


def test_a_handshake_that_the_server_does_not_finish(talk: Conversation) -> None:
    talk.net.network.configure(talk.net.servers[0], "route replace blackhole 10.9.0.2")
    talk.client.setblocking(False)
    assert talk.client.connect_ex((talk.net.vip, 80)) != 0
    talk.await_state("SYN_RECV", active=1, inactive=0, expires=60)
    talk.net.network.configure(talk.net.servers[0], "route delete blackhole 10.9.0.2")
    talk.await_state("ESTABLISHED", active=1, inactive=0, expires=900)


def test_the_server_ends_the_conversation(talk: Conversation) -> None:
    talk.connect()
    talk.await_state("ESTABLISHED", active=1, inactive=0, expires=900)
    talk.server.shutdown(socket.SHUT_WR)
    talk.await_state("FIN_WAIT", active=0, inactive=1, expires=120)
    talk.client.shutdown(socket.SHUT_WR)
    talk.await_state("TIME_WAIT", active=0, inactive=1, expires=120)


def test_the_client_ends_the_conversation(talk: Conversation) -> None:
    talk.connect()
    talk.client.shutdown(socket.SHUT_WR)
    talk.await_state("CLOSE_WAIT", active=0, inactive=1, expires=60)
    talk.server.shutdown(socket.SHUT_WR)
    talk.await_state("TIME_WAIT", active=0, inactive=1, expires=120)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_reset_closes(talk: Conversation, side: str) -> None:
    talk.connect()
    one: socket.socket = getattr(talk, side)
    reset_on_close(one)
    one.close()
    talk.await_state("CLOSE", active=0, inactive=1, expires=10)


def test_a_connection_is_listed_with_its_three_ends(talk: Conversation) -> None:
    talk.connect()
    port = talk.client.getsockname()[1]
    (row,) = connections(talk.net.director)
    assert (row.protocol, row.client, row.virtual, row.server) == ("TCP", f"10.9.0.2:{port}", "10.9.0.100:80", SERVER)
    assert talk.server.getpeername() == ("10.9.0.2", port)


def test_weight_zero_gets_nothing_new_and_existing_connections_go_on(talk: Conversation) -> None:
    talk.connect()
    add_server(talk.net.director, "-e", "-w", "0")
    with talk.net.client.inside(), socket.socket() as another:
        another.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            another.connect((talk.net.vip, 80))
    assert talk.carries(b"still here")
    row = servers(talk.net.director)[SERVER]
    assert (row.weight, row.active) == (0, 1)


def test_a_removed_servers_connection_stalls_and_goes_on_when_it_is_added_back(talk: Conversation) -> None:
    talk.connect()
    assert talk.carries(b"before")
    remove_server(talk.net.director)
    assert [row.state for row in connections(talk.net.director)] == ["ESTABLISHED"]

    talk.client.sendall(b"into the void")
    talk.server.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        talk.server.recv(100)

    add_server(talk.net.director)
    row = servers(talk.net.director)[SERVER]
    assert (row.active, row.inactive) == (1, 0)
    talk.server.settimeout(15)
    assert talk.server.recv(100) == b"into the void"
    assert talk.carries(b"after")


def test_a_client_that_gives_a_removed_server_up_reaches_another_from_the_same_port(talk: Conversation) -> None:
    talk.connect()
    port = talk.client.getsockname()[1]
    director, other = talk.net.director, talk.net.addresses[1]
    talk.net.servers[1].serve("two", 8080)
    director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", f"{other}:8080", "-m").checked()
    remove_server(director)
    reset_on_close(talk.client)
    talk.client.close()  # what it says goes nowhere: to the director the connection still is established
    assert [row.state for row in connections(director)] == ["ESTABLISHED"]
    assert ask_from_port(talk.net, port, resets=False) == "two"
    assert [row.server for row in connections(director)] == [f"{other}:8080"]


def test_clearing_keeps_connections_for_the_same_table_restored(talk: Conversation) -> None:
    talk.connect()
    saved = talk.net.director.ipvsadm("-S", "-n").checked().out
    talk.net.director.ipvsadm("-C").checked()
    talk.net.director.ipvsadm("-R", stdin=saved).checked()
    talk.client.settimeout(15)
    talk.server.settimeout(15)
    assert talk.carries(b"still the same")
    assert [row.state for row in connections(talk.net.director)] == ["ESTABLISHED"]


def test_editing_the_service_leaves_connections_alone(talk: Conversation) -> None:
    talk.connect()
    talk.net.director.ipvsadm("-E", "-t", "10.9.0.100:80", "-s", "wrr").checked()
    assert talk.carries(b"under another scheduler")
    assert servers(talk.net.director)[SERVER].active == 1


@pytest.mark.parametrize("ending", ["server closes", "client resets"])
def test_the_same_client_port_is_scheduled_anew_after_the_end(net: Routed, ending: str) -> None:
    net.director.ipvsadm("-A", "-t", "10.9.0.100:80", "-s", "rr").checked()
    for address in net.addresses:
        net.director.ipvsadm("-a", "-t", "10.9.0.100:80", "-r", f"{address}:8080", "-m").checked()
    answers = [ask_from_port(net, 40000, resets=ending == "client resets") for _ in range(4)]
    assert answers == ["three", "two", "one", "three"]
    assert len(connections(net.director)) == 1


def ask_from_port(net: Routed, port: int, *, resets: bool) -> str:
    """One request from a given client port; the server closes first, or the client resets at the end."""
    with net.client.inside(), socket.socket() as client:
        client.settimeout(5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("10.9.0.2", port))
        client.connect((net.vip, 80))
        client.sendall(b"GET / HTTP/1.1\r\n" + (b"" if resets else b"Connection: close\r\n") + b"\r\n")
        answer = b""
        while not answer.endswith((b"one\n", b"two\n", b"three\n")):
            answer += client.recv(4096)
        if resets:
            reset_on_close(client)
        else:
            assert client.recv(1) == b""
    ended = "CLOSE" if resets else "TIME_WAIT"
    until(lambda: [row.state for row in connections(net.director)] == [ended], f"the connection in {ended}")
    return answer.split()[-1].decode()
