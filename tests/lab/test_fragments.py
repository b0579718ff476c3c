# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams and segments in fragments through every way of forwarding, between real stacks."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest
from scapy.compat import raw
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6

from bpvs.lab.wait import until
from tests.lab.balancing import KINDS, Balanced, balanced, datagram_socket, use_xdp

pytestmark = pytest.mark.root

LONG = bytes(place % 251 for place in range(8000))
SHORT = LONG[:1900]  # two fragments
CLIENT_PORT = 5000
TUNNEL_ROOM = 1400  # of an Ethernet frame, behind the longest outer headers
TRIES = 10  # a busy machine may hold a fragment back for longer than the director does
SMALL_MTU = 700
FLOOD = 5000


@contextmanager
def datagrams(kind: str, hook: str = "tc", families: tuple[str, ...] = ("ipv4",)) -> Iterator[list[Ends]]:
    """A network with a UDP service in each of the families and no web servers."""
    with KINDS[kind].topology(False) as net, ExitStack() as stack:
        if hook == "xdp":
            use_xdp(net)
        if kind == "tun":
            ways = (f"default via {net.clients.four(1)}", f"::/0 via {net.clients.six(1)}")
            net.network.configure(net.client, *(f"route change {way} mtu {TUNNEL_ROOM}" for way in ways))
        sites = [Balanced(net, KINDS[kind], family == "ipv6") for family in families]
        for site in sites:
            site.add("-u")
        yield [Ends(site, stack) for site in sites]


class Ends:
    """A client's sockets and that of the server that has the first turn; all closed with the stack."""

    def __init__(self, site: Balanced, stack: ExitStack) -> None:
        self.site = site
        self._stack = stack
        self._idents = count(1)
        here = site.servers[2] if site.kind.option in ("-m", "-b") else site.vip
        self.client = self._stack.enter_context(datagram_socket(site.net.client, site.family))
        self.server = self._stack.enter_context(datagram_socket(site.net.servers[2], site.family, (here, 80)))
        self.client.bind((site.client, CLIENT_PORT))
        self.client.connect((site.vip, 80))
        with site.net.client.inside():
            self._raw = stack.enter_context(socket.socket(site.family, socket.SOCK_RAW, socket.IPPROTO_RAW))

    def fragments(self, payload: bytes) -> list[bytes]:
        """A datagram of the client's in fragments, under a number that none had before."""
        site, ident = self.site, next(self._idents)
        udp = UDP(sport=CLIENT_PORT, dport=80) / payload
        if site.is_ipv6:
            packet = IPv6(src=site.client, dst=site.vip) / IPv6ExtHdrFragment(id=ident) / udp
            return [bytes(raw(one)) for one in fragment6(packet, 1280)]
        return [bytes(raw(one)) for one in fragment(IP(src=site.client, dst=site.vip, id=ident) / udp, 1200)]

    def send(self, packet: bytes) -> None:
        self._raw.sendto(packet, (self.site.vip, 0))

    def arrives(self, payload: bytes) -> bool:
        """Whether that is what the server gets next, within a second."""
        self.server.settimeout(1)
        try:
            return self.server.recv(65536) == payload
        except TimeoutError:
            return False

    def there_and_back(self, payload: bytes) -> None:
        self.client.send(payload)
        got, address = self.server.recvfrom(65536)
        assert got == payload
        self.server.sendto(payload[::-1], address)
        assert self.client.recv(65536) == payload[::-1]

    def verdict(self, name: str) -> int:
        """How many packets the director counted under a name."""
        told = json.loads(self.site.net.director.bpvs("status", "--json").checked().out)["verdicts"]
        return int(told.get(name, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_and_last_fragment_first(kind: str) -> None:
    with datagrams(kind, families=("ipv4", "ipv6")) as both:
        for ends in both:
            ends.there_and_back(LONG)
            ends.there_and_back(LONG)
            row = ends.site.stats("UDP")
            assert (row.connections, row.in_packets) == (1, 2)
            assert row.in_bytes > 2 * len(LONG)
            before = ends.verdict("HOLD_FRAGMENT")
            assert any(arrives_in_reverse(ends, LONG, gap=0) for _ in range(TRIES))
            assert ends.verdict("HOLD_FRAGMENT") > before


def arrives_in_reverse(ends: Ends, payload: bytes, gap: float) -> bool:
    """Whether the datagram arrives if its last fragment is sent first; `gap`: seconds between two."""
    for packet in reversed(ends.fragments(payload)):
        ends.send(packet)
        time.sleep(gap)
    return ends.arrives(payload)


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_first_fragment_that_comes_late_or_too_late(hook: str) -> None:
    """Within 200 ms the others wait for it."""
    with datagrams("nat", hook) as (ends,):
        ends.there_and_back(LONG)
        for payload, gap in ((LONG, 0.005), (SHORT, 0.03)):
            assert any(arrives_in_reverse(ends, payload, gap) for _ in range(TRIES))
        before = ends.verdict("DROP_FRAGMENT")
        first, later = ends.fragments(SHORT)
        ends.send(later)
        until(lambda: ends.verdict("DROP_FRAGMENT") == before + 1, "a fragment given up")
        ends.send(first)
        ends.client.send(b"next")
        assert ends.arrives(b"next")


def test_flood_of_later_fragments_passes_over() -> None:
    """None of them has a first one. What comes in order is not kept waiting, what comes out of it not for ever."""
    with datagrams("nat") as (ends,):
        ends.there_and_back(LONG)
        site = ends.site
        flooder = site.net.clients.four(66)  # one with numbers of its own, which no datagram of the client's has
        for ident in range(1, FLOOD + 1):
            ends.send(bytes(raw(IP(src=flooder, dst=site.vip, id=ident, frag=8, proto=17) / b"flood")))
        ends.there_and_back(LONG)
        held = ends.verdict("HOLD_FRAGMENT")
        assert 0 < held <= FLOOD
        until(lambda: ends.verdict("DROP_FRAGMENT") == held, "all of the flood given up", seconds=30)
        assert any(arrives_in_reverse(ends, LONG, gap=0) for _ in range(TRIES))
        assert site.stats("UDP").connections == 1


@pytest.mark.parametrize("kind", ["dr", "fullnat"])
def test_segments_that_a_router_cuts(kind: str, tmp_path: Path) -> None:
    """Without path MTU discovery, behind a narrow link: requests, with FullNAT replies too, arrive in fragments."""
    with balanced(kind, "ipv4") as site:
        site.add()
        net = site.net
        for host in (net.client, *net.servers):
            host.set_sysctl("net.ipv4.ip_no_pmtu_disc", 1)
        net.network.configure(net.router, f"route change {net.vips.four(0)}/24 dev int mtu lock {SMALL_MTU}")
        assert site.upload(1 << 20, tmp_path)
        assert site.download(1 << 20, tmp_path)
        row = site.stats()
        assert row.in_bytes / row.in_packets > SMALL_MTU
