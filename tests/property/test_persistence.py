# SPDX-License-Identifier: GPL-2.0-or-later
"""persist.h, template.h: whoever connects and whatever is changed meanwhile, templates are those of a model of IPVS."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.lab.wait import until
from bpvs.model import Address, Protocol
from tests.packets.frames import CLIENT, Flow, Shape
from tests.packets.listing import quiescent_expires
from tests.packets.rig import Hook, Rig
from tests.packets.sticky import SWEEP_S, Sticky, nth_client, sticky
from tests.property.persistence_model import FTP, Persistence, Template
from tests.property.scheduler_model import Packet, RoundRobin, Service

pytestmark = pytest.mark.root

NAMES = ("11", "12", "13", "14")
PORTS = {80: (80,), 0: (80, 443, 5000), FTP: (FTP, 20, 1024, 65535)}
MASKS = (0xFFFFFFFF, 0xFFFFFF00, 0xFFFFFFFC, 0xFF0000FF, 0)
NETWORK = 0x0A090000  # of nth_client()

clients = st.sampled_from((1, 2, 3, 5, 256 + 1, 256 + 2, 512 + 3))
changes = st.one_of(
    st.tuples(st.just("connect"), clients),
    st.tuples(st.just("connect"), clients),
    st.tuples(st.just("connect"), clients),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("weight 0"), st.sampled_from(NAMES)),
    st.tuples(st.just("weight 1"), st.sampled_from(NAMES)),
)
# Whatever follows whatever, no template is left with less than 15 s, which a slow machine may take.
TIMEOUTS, WAITS = (10, 95, 330), (40, 130)
SLACK = 12
waits = st.one_of(st.tuples(st.just("end"), st.integers(1, 4)), st.tuples(st.just("wait"), st.sampled_from(WAITS)))

Listed = tuple[int, str, bool, int]  # client, server, does it lead there, seconds left


@dataclass
class Play:
    """The real service and its model side by side, and the connections that are open."""

    service: Sticky
    model: Persistence
    ports: tuple[int, ...]
    open: list[tuple[Flow, Template]] = field(default_factory=list)
    turn: int = 0

    def step(self, what: str, value: str | int) -> None:
        """One step on both sides."""
        if what == "connect":
            self._connect(int(value))
        elif what == "end":
            self._end(int(value))
        elif what == "wait":
            self._wait(int(value))
        else:
            self._change(what, str(value))

    def agree(self) -> None:
        """What is listed is what the model has; the clock may have gone on."""
        assert not self._differences()

    def _differences(self) -> list[tuple[Listed | None, Listed | None]]:
        """Templates as they are listed, and as they should be."""
        pairs = zip_longest(sorted(self._shown()), sorted(self.model.shown()))
        return [(one, other) for one, other in pairs if not (one and other and _fits(one, other))]

    def _shown(self) -> list[Listed]:
        return [
            (
                int.from_bytes(one.client.packed, "big"),
                str(one.server).rpartition(".")[2],
                one.virtual_port != 65535,
                round(one.expires),
            )
            for one in self.service.templates()
        ]

    def _connect(self, client: int) -> None:
        self.turn += 1
        flow = self.service.flow(client, self.ports[self.turn % len(self.ports)])
        packet = Packet(Address.parse(CLIENT), 0, self.service.address)
        found = self.model.connect(NETWORK + client, packet)
        frame = self.service.rig.run_uncounted(self.service.hook, flow.request(Shape()))[1]
        if found:
            assert frame[30:34] == self.service.server(int(found.server.name)).address.packed, nth_client(client)
            self.open.append((flow, found))
        else:
            assert self.service.server_of(flow) is None

    def _change(self, what: str, name: str) -> None:
        servers = self.model.service
        server = self.service.server(int(name), weight=0 if what == "weight 0" else 1)
        with self.service.rig.change() as table:
            if what == "delete" and servers.server(name):
                table.delete_server(self.service.key, server.address, server.port)
                servers.delete(name)
            elif what != "delete" and servers.server(name):
                table.edit_server(self.service.key, server)
                servers.edit(name, server.weight)
            elif what != "delete":
                table.add_server(self.service.key, server)
                servers.add(name, server.weight)

    def _end(self, count: int) -> None:
        for flow, template in self.open[:count]:
            self.service.age(1 << 20, flow)
            template.connections -= 1
        ended, self.open = self.open[:count], self.open[count:]
        until(lambda: all(self.service.server_of(flow) is None for flow, _ in ended), "connections to end", SWEEP_S)

    def _wait(self, seconds: int) -> None:
        self.model.wait(seconds)
        self.service.age(seconds)
        until(lambda: not self._differences(), "templates to end or to get a minute more", SWEEP_S)


def _fits(one: Listed, other: Listed) -> bool:
    return one[:3] == other[:3] and 0 <= other[3] - one[3] <= SLACK


def begin(rig: Rig, hook: Hook, port: int, mask: int, timeout: int, quiescent: bool) -> Play:
    """Three servers, nobody known."""
    service = sticky(rig, hook, port=port, servers=(), persistence=timeout, netmask=mask, protocol=Protocol.TCP)
    addresses = {name: (service.server(int(name)).address, service.servers_port) for name in NAMES}
    play = Play(service, Persistence(Service.begin(RoundRobin, addresses), timeout, mask, quiescent), PORTS[port])
    for name in NAMES[:3]:
        play.step("weight 1", name)
    quiescent_expires(quiescent)
    return play


FIXTURES = [HealthCheck.function_scoped_fixture]
services = {
    "hook": st.sampled_from(Hook),
    "port": st.sampled_from(tuple(PORTS)),
    "mask": st.sampled_from(MASKS),
    "quiescent": st.booleans(),
}


@settings(max_examples=40, deadline=None, suppress_health_check=FIXTURES)
@given(**services, steps=st.lists(changes, min_size=1, max_size=14))
def test_any_clients_and_changes(
    rig: Rig, hook: Hook, port: int, mask: int, quiescent: bool, steps: list[tuple[str, str | int]]
) -> None:
    play = begin(rig, hook, port, mask, 300, quiescent)
    try:
        for step in steps:
            play.step(*step)
        play.agree()
    finally:
        quiescent_expires(False)


@settings(max_examples=6, deadline=None, suppress_health_check=FIXTURES)
@given(
    **services,
    timeout=st.sampled_from(TIMEOUTS),
    steps=st.lists(st.tuples(st.lists(changes, min_size=2, max_size=5), waits), min_size=1, max_size=3),
)
def test_any_times(
    rig: Rig,
    hook: Hook,
    port: int,
    mask: int,
    quiescent: bool,
    timeout: int,
    steps: list[tuple[list[tuple[str, str | int]], tuple[str, int]]],
) -> None:
    play = begin(rig, hook, port, mask, timeout, quiescent)
    try:
        for several, pause in steps:
            for step in (*several, pause):
                play.step(*step)
            play.agree()
    finally:
        quiescent_expires(False)
