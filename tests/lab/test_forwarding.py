# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for every way of forwarding, between real stacks: HTTP and UDP, at TC and XDP, both families."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from tests.lab.balancing import KINDS, Balanced, balanced, datagram_socket

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
BESIDE = tuple(kind for kind in KINDS if kind != "nat")  # test_transfers and test_xdp are about NAT
SIZE = 8 << 20
SEGMENT, UDP_SEGMENT = 1200, 103  # include/uapi/linux/udp.h


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        made.add()
        yield made


def each(*choices: tuple[str, ...]) -> pytest.MarkDecorator:
    """Every combination of a kind, a family and perhaps a hook."""
    return these(list(product(*choices)))


def these(rows: list[tuple[str, ...]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", rows, ids=[" ".join(row) for row in rows], indirect=True)


def seen_client(site: Balanced) -> set[str]:
    """The client's addresses as servers saw them in a few connections."""
    return {line.split()[0] for line in site.ask(4, "client")}


@each(BESIDE, FAMILIES, ("tc", "xdp"))
def test_answers_in_turn_and_transfers_that_arrive_unchanged(site: Balanced, tmp_path: Path) -> None:
    """The director forwards nothing by itself: IPVS needs no ip_forward for what it sends."""
    assert site.net.director.get_sysctl("net.ipv4.ip_forward") == "0"
    assert site.ask(6) == ["three", "two", "one"] * 2
    assert seen_client(site) == (set(site.locals) if site.kind.option == "-b" else {site.client})
    assert site.download(SIZE, tmp_path)
    assert site.upload(SIZE, tmp_path)
    row = site.stats()
    assert row.connections == 12
    assert row.in_bytes > SIZE
    if site.kind.option == "-b":
        assert row.out_bytes > SIZE
    else:
        assert row.out_packets == 0


@each(tuple(KINDS), ("ipv4",))
def test_big_transfers(site: Balanced, tmp_path: Path) -> None:
    assert site.download(64 << 20, tmp_path)
    assert site.upload(64 << 20, tmp_path)


@each(("dr", "fullnat"), FAMILIES)
def test_three_hundred_parallel_connections_all_succeed(site: Balanced) -> None:
    count, size = 300, 20_000
    urls = [site.url(f"size/{size}?{number}") for number in range(count)]
    outputs = [word for _ in urls for word in ("-o", "/dev/null")]
    shape = ("-w", "%{http_code} %{size_download}\n", "-H", "Connection: close")
    parallel = ("-Z", "--parallel-immediate", "--parallel-max", str(count))
    done = site.net.client.curl("-g", *parallel, *shape, *outputs, *urls, seconds=60).checked()
    assert Counter(done.out.splitlines()) == {f"200 {size}": count}
    assert site.stats().connections == count


WHOLE, IN_FRAGMENTS = (0, 1, 1000, 1400), (1473, 8000)  # bytes of payload
LOSS = """
table inet loss {
    chain input { type filter hook input priority 0; jump lose; }
    chain forward { type filter hook forward priority 0; jump lose; }
    chain lose { numgen random mod 100 < 2 drop; }
}
"""


@each(tuple(KINDS), ("ipv4",))
def test_transfers_through_loss(site: Balanced, tmp_path: Path) -> None:
    """Two packets of a hundred get lost at the router, or where the director is that at the ends."""
    net = site.net
    for host in (net.client, *net.servers) if net.router is net.director else (net.router,):
        host.run("nft", "-f", "-", stdin=LOSS).checked()
    assert site.download(2 << 20, tmp_path)
    assert site.upload(2 << 20, tmp_path)


@these([("nat", "ipv4"), ("dr", "ipv6"), ("fullnat", "ipv6")])
def test_datagrams_that_leave_their_sender_merged(site: Balanced) -> None:
    """As QUIC's: the kernel cuts them as late as it can, here behind the director. test_tunnels has them in tunnels."""
    site.add("-u")
    sent = [bytes([number]) * SEGMENT for number in range(8)] + [b"the rest"]
    with ExitStack() as stack:
        client = stack.enter_context(datagram_socket(site.net.client, site.family))
        client.connect((site.vip, 80))
        here = site.servers[2] if site.kind.option in ("-m", "-b") else site.vip
        server = stack.enter_context(datagram_socket(site.net.servers[2], site.family, (here, 80)))
        for one in (client, server):
            one.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SEGMENT)
        client.send(b"".join(sent))
        got = [server.recvfrom(65536) for _ in sent]
        assert [datagram for datagram, _ in got] == sent
        if site.kind.option in ("-m", "-b"):
            server.sendto(b"".join(sent), got[0][1])
            assert [client.recv(65536) for _ in sent] == sent


@these([(kind, *row) for kind in BESIDE for row in (("ipv4", "tc"), ("ipv6", "xdp"))])
def test_datagrams_there_and_back(site: Balanced) -> None:
    site.add("-u")
    with ExitStack() as stack:
        client = stack.enter_context(datagram_socket(site.net.client, site.family))
        client.connect((site.vip, 80))
        here = site.servers[2] if site.kind.option == "-b" else site.vip
        server = stack.enter_context(datagram_socket(site.net.servers[2], site.family, (here, 80)))
        for size in WHOLE if site.kind.option == "-i" else (*WHOLE, *IN_FRAGMENTS):
            question = bytes(number % 251 for number in range(size))
            client.send(question)
            got, address = server.recvfrom(65536)
            assert got == question
            assert (address[0] == site.client) == (site.kind.option != "-b")
            server.sendto(question[::-1], address)
            assert client.recv(65536) == question[::-1]
    row = site.stats("UDP")
    assert row.connections == 1
    assert row.in_packets >= len(WHOLE)
    assert row.out_packets == (row.in_packets if site.kind.option == "-b" else 0)
