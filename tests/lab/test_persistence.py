# SPDX-License-Identifier: GPL-2.0-or-later
"""Persistence with real clients and servers, step by step as the kernel's IPVS was recorded."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from tests.lab.balancing import text

pytestmark = pytest.mark.root

GOLDEN = Path(__file__).resolve().parents[1] / "golden/ipvs"
VIP = "10.9.0.100"
CLIENTS = range(2, 8)
NUMBERS = {"one": "rs1", "two": "rs2", "three": "rs3"}
EXPIRY_S = 6.0  # a second's timeout, and about a second until the walk comes by

Entry = tuple[str, str, str, str, str]


def recorded(file: str) -> tuple[list[list[str]], list[set[Entry]]]:
    """The servers that each series of connections got, and the entries that each listing of connections showed."""
    whole = (GOLDEN / file).read_text()
    picks = [line.split() for line in re.findall(r"^(rs\d(?: rs\d)*)$", whole, re.MULTILINE)]
    tables = re.findall(r"^\[d\]\$ ipvsadm -Lnc\n((?:(?!--).*\n)*)", whole, re.MULTILINE)
    return picks, [_entries(table) for table in tables]


def _entries(text_: str) -> set[Entry]:
    rows = listing.connections(text_)
    return {(row.protocol, row.state, row.client, row.virtual, row.server) for row in rows}


def entries(net: Routed) -> set[Entry]:
    """What is listed now."""
    return _entries(net.director.ipvsadm("-L", "-n", "-c").checked().out)


def expires(net: Routed, client: str) -> int | None:
    """Seconds left to the entry of a client's address and port."""
    rows = listing.connections(net.director.ipvsadm("-L", "-n", "-c").checked().out)
    return next((row.expires for row in rows if row.client == client), None)


@contextmanager
def connected(net: Routed, source: tuple[str, int], port: int, vip: str = VIP) -> Iterator[tuple[socket.socket, str]]:
    """A connection from an address and port of the client's, and the name of the server that answered on it."""
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    with net.client.inside(), socket.socket(family, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.settimeout(5)
        client.bind(source)
        client.connect((vip, port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\n") or b"\r\n\r\n" not in answer:
            more = client.recv(4096)
            assert more, f"the server closed after {answer!r}"
            answer += more
        yield client, NUMBERS[answer.split()[-1].decode()]


def ask(net: Routed, clients: Sequence[int], count: int, first_port: int, port: int = 80) -> list[str]:
    """Connections one after the other, closed by the client, as the recordings' player makes them."""
    names = []
    for number in range(count):
        source = f"10.9.0.{clients[number % len(clients)]}", first_port + number
        with connected(net, source, port) as (_, name):
            names.append(name)
    return names


def settled(net: Routed, expected: set[Entry]) -> set[Entry]:
    """The entries when they are as expected, or as they stay."""
    try:
        until(lambda: entries(net) == expected, "the recorded entries")
    except TimeoutError:
        return entries(net)
    return expected


@pytest.fixture
def farm(bare: Routed) -> Routed:
    """Three servers on ports 80 and 443, and six addresses of the client's."""
    for port in (80, 443):
        bare.serve(port)
    lines = [f"address add 10.9.0.{number}/24 dev eth0" for number in CLIENTS if number != 2]
    bare.client.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n").checked()
    return bare


def serve(net: Routed, service: str, weights: tuple[int, int, int] = (1, 1, 1), port: int = 80) -> None:
    """The only service, with three servers by NAT; connections stay."""
    address = service.split()[1]
    lines = ["-C", f"-A {service}"]
    lines += [f"-a -t {address} -r 10.0.1.1{number}:{port} -m -w {weight}" for number, weight in enumerate(weights, 1)]
    net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


def test_the_recorded_clients(farm: Routed) -> None:
    recorded_picks, recorded_tables = recorded("persistence.out")
    picks, tables = iter(recorded_picks), iter(recorded_tables)
    everybody = (2, 3, 4, 5)

    def agree() -> None:
        expected = next(tables)
        assert settled(farm, expected) == expected

    serve(farm, f"-t {VIP}:80 -s rr -p 100")
    assert ask(farm, everybody, 8, 40000) == next(picks)
    agree()
    farm.director.ipvsadm("-e", "-t", f"{VIP}:80", "-r", "10.0.1.13", "-m", "-w", "0").checked()
    assert ask(farm, everybody, 4, 41000) == next(picks)
    farm.director.bpvs("sysctl", "vs.expire_quiescent_template=1").checked()
    assert ask(farm, everybody, 4, 42000) == next(picks)
    agree()
    assert persistent(farm) == {"10.0.1.11": 2, "10.0.1.12": 2, "10.0.1.13": 2}
    farm.director.bpvs("sysctl", "vs.expire_quiescent_template=0").checked()
    serve(farm, f"-t {VIP}:80 -s rr -p 100 -M 255.255.255.0")
    assert ask(farm, everybody, 4, 43000) == next(picks)
    agree()
    serve(farm, f"-t {VIP}:0 -s rr -p 100", port=0)
    assert ask(farm, (6, 7), 2, 44000) == next(picks)
    assert ask(farm, (6, 7), 2, 45000, 443) == next(picks)
    agree()
    assert next(picks, None) is None
    assert next(tables, None) is None


def persistent(net: Routed) -> dict[str, int]:
    """Templates of each server as --persistent-conn shows them."""
    shown = net.director.ipvsadm("-L", "-n", "--persistent-conn").checked().out
    return {match[1]: int(match[2]) for match in re.finditer(r"-> (\S+):\d+ +\d+ +(\d+)", shown)}


def test_a_template_outlives_its_time_with_its_connection(farm: Routed) -> None:
    """As recorded: listed with 60 s from then on, for later connections too."""
    (first, second), (_, extended, later, *_) = recorded("template_expiry.out")
    serve(farm, f"-t {VIP}:80 -s rr -p 1")
    with connected(farm, ("10.9.0.2", 40000), 80) as (client, name):
        assert [name] == first
        until(lambda: (expires(farm, "10.9.0.2:0") or 0) > 50, "a minute more", EXPIRY_S)
        assert entries(farm) == extended
        assert ask(farm, (2,), 1, 40001) == second
        assert settled(farm, later) == later
        assert (expires(farm, "10.9.0.2:0") or 0) > 55
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert client.recv(4096)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_hundred_clients_keep_their_servers(bare: Routed, family: str) -> None:
    """Port 80 and port 443 of each go to one server, round robin over all."""
    for port in (80, 443):
        bare.serve(port)
    vip = bare.vip6 if family == "ipv6" else bare.vip
    prefix = "fd09::1:" if family == "ipv6" else "10.9.0."
    clients = [f"{prefix}{number:x}" if family == "ipv6" else f"{prefix}{number}" for number in range(101, 201)]
    length, flags = (64, " nodad") if family == "ipv6" else (24, "")
    lines = [f"address add {client}/{length} dev eth0{flags}" for client in clients]
    bare.client.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n").checked()
    servers = bare.addresses6 if family == "ipv6" else bare.addresses
    restored = [f"-A -t {text(vip)}:0 -s rr -p 360"]
    restored += [f"-a -t {text(vip)}:0 -r {text(server)}:0 -m" for server in servers]
    bare.director.ipvsadm("-R", stdin="\n".join(restored) + "\n").checked()
    reached: dict[str, set[str]] = {}
    for port in (80, 443, 80):
        for client in clients:
            with connected(bare, (client, 0), port, vip) as (_, name):
                reached.setdefault(client, set()).add(name)
    assert {len(names) for names in reached.values()} == {1}
    counts = [sum(names == {server} for names in reached.values()) for server in ("rs1", "rs2", "rs3")]
    assert sorted(counts) == [33, 33, 34]
    assert sorted(persistent(bare).values()) == sorted(counts)
