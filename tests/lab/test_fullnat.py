# SPDX-License-Identifier: GPL-2.0-or-later
"""FullNAT's local addresses: used in turn, taken away, of the servers' family."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.balancing import Balanced, balanced

pytestmark = pytest.mark.root


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


def told(sock: socket.socket) -> str:
    """The client's address as the server sees it, asked on a connection that stays open."""
    sock.sendall(b"GET /client HTTP/1.1\r\n\r\n")
    answer = b""
    while not (answer.endswith(b"\n") and b"\r\n\r\n" in answer):
        answer += sock.recv(4096)
    return answer.split(b"\r\n\r\n")[1].split()[0].decode()


def test_ipv6_clients_reach_ipv4_servers(tmp_path: Path) -> None:
    with balanced("fullnat", "ipv6") as site:
        service = " ".join(site.service())
        lines = [f"-A {service} -s rr", *(f"-P {service} -z {local}" for local in site.net.locals)]
        lines += [f"-a {service} -r {server}:80 -b" for server in site.net.addresses]
        site.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()
        assert site.ask(6) == ["three", "two", "one"] * 2
        assert set(local_addresses(site, 4)) == set(site.net.locals)
        assert site.download(8 << 20, tmp_path)
        assert site.upload(8 << 20, tmp_path)
