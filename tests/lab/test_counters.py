# SPDX-License-Identifier: GPL-2.0-or-later
"""--stats counts what a client sends and gets, packet by packet and byte by byte, as far as it passes the director."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bpvs import Director
from bpvs.lab.host import Host
from bpvs.lab.listing import StatsRow
from bpvs.lab.wait import until
from tests.lab.balancing import KINDS, Balanced, balanced

pytestmark = pytest.mark.root

CONNECTIONS = 6
ETHERNET = 14
ETH_P_ALL = 3
OUTGOING = 4  # sll_pkttype: PACKET_OUTGOING
TCP = 6
families = pytest.mark.parametrize("family", ["ipv4", "ipv6"])


class Wire:
    """IP packets of TCP at a client's interface: how many, and their bytes, by whether they go out."""

    def __init__(self, tap: socket.socket) -> None:
        self._tap = tap
        self.packets = {True: 0, False: 0}
        self.bytes = {True: 0, False: 0}

    def read(self) -> Wire:
        while True:
            try:
                frame, address = self._tap.recvfrom(1 << 17)
            except BlockingIOError:
                return self
            protocol = frame[23] if frame[12:14] == b"\x08\x00" else frame[20]
            if frame[12:14] in (b"\x08\x00", b"\x86\xdd") and protocol == TCP:
                goes_out = address[2] == OUTGOING
                self.packets[goes_out] += 1
                self.bytes[goes_out] += len(frame) - ETHERNET


@contextmanager
def wire(client: Host) -> Iterator[Wire]:
    with client.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        tap.bind(("eth0", ETH_P_ALL))
        tap.setblocking(False)
        yield Wire(tap)


def expect(site: Balanced, seen: Wire, replies: bool) -> None:
    """The service's line, the totals, and what went over the wire are the same; the last ACK may be on its way."""

    def wanted() -> StatsRow:
        seen.read()
        out = (seen.packets[False], seen.bytes[False]) if replies else (0, 0)
        return StatsRow(CONNECTIONS, seen.packets[True], out[0], seen.bytes[True], out[1])

    until(lambda: site.stats() == wanted(), f"{site.stats()} to become {wanted()}")
    total = Director(netns=site.net.director.name).totals().counters
    row = site.stats()
    assert (total.connections, total.in_packets, total.out_packets) == (
        row.connections,
        row.in_packets,
        row.out_packets,
    )
    assert (total.in_bytes, total.out_bytes) == (row.in_bytes, row.out_bytes)


@families
@pytest.mark.parametrize("kind", KINDS)
def test_counters_are_those_of_the_wire(kind: str, family: str) -> None:
    with balanced(kind, family) as site:
        site.add()
        with wire(site.net.client) as seen:
            site.ask(CONNECTIONS)
            expect(site, seen, replies=kind in ("nat", "fullnat"))


@families
@pytest.mark.parametrize("option", ["-g", "-i"])
def test_replies_of_a_server_on_the_director_count_by_any_method(family: str, option: str) -> None:
    with balanced("dr", family) as site:
        site.net.director.serve("the director", 80)
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        site.server("-a", site.vip, option)
        with wire(site.net.client) as seen:
            site.ask(CONNECTIONS)
            expect(site, seen, replies=True)
