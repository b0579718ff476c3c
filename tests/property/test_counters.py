# SPDX-License-Identifier: GPL-2.0-or-later
"""stats.h and the control path: whatever comes, goes, is counted and zeroed, three displays show what they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.director import Director
from bpvs.model import Protocol, VirtualService
from tests.packets.frames import CLIENT, Flow, Path, Shape
from tests.packets.rig import Hook, Rig

pytestmark = pytest.mark.root

SERVERS = (11, 11, 11, 12)  # mostly one that comes and goes
KINDS = ("plain", "ops")  # two services; of the second one no connection stays, so that rows change hands at once
SIZE = 20 + 8
_PORTS = count(30000)

Shown = tuple[int, int]  # connections, bytes that came


@dataclass
class Service:
    """What is shown of one service; `known`: of its servers, also of removed ones whose connections last."""

    server: int | None = None
    shown: int = 0
    known: dict[int, int] = field(default_factory=dict)


@dataclass
class Model:
    """Displays count datagrams, each a connection. At most one server at a time: no scheduler takes part."""

    ports: dict[str, int]
    total: int = 0
    services: dict[str, Service] = field(default_factory=dict)

    def path(self, kind: str, server: int = 11) -> Path:
        return Path(CLIENT, "10.0.0.190", self.ports[kind], f"10.2.0.{server}", 53, Protocol.UDP)

    def create(self, rig: Rig, kind: str, _server: int) -> None:
        """Also instead of one that there is."""
        key = self.path(kind).key
        with rig.change() as table:
            if table.has(key):
                table.delete_service(key)
            table.add_service(VirtualService(key, "rr", ops=kind == "ops"))
        self.services[kind] = Service()

    def delete(self, rig: Rig, kind: str, _server: int) -> None:
        if self.services.pop(kind, None):
            with rig.change() as table:
                table.delete_service(self.path(kind).key)

    def serve(self, rig: Rig, kind: str, server: int) -> None:
        """The service gets this server instead of the one that it has; that one again: no server."""
        service = self.services.get(kind)
        if service is None:
            return
        old, service.server = service.server, None if service.server == server else server
        with rig.change() as table:
            if old is not None:
                table.delete_server(self.path(kind).key, self.path(kind, old).row[1].address, 53)
            if service.server is not None:
                table.add_server(*self.path(kind, server).row)
        if kind == "ops" and old is not None:
            del service.known[old]
        if service.server is not None:
            service.known.setdefault(server, 0)

    def send(self, rig: Rig, kind: str, _server: int) -> None:
        service = self.services.get(kind)
        served = service is not None and service.server is not None
        run = rig.run(Hook.TC, Flow(self.path(kind), rig.port()).request(Shape()))
        assert (run.verdicts == {}) == served
        if service is not None and service.server is not None:
            self.total += 1
            service.shown += 1
            service.known[service.server] += 1

    def zero(self, rig: Rig, kind: str, _server: int) -> None:
        service = self.services.get(kind)
        if service is None:
            return
        with rig.change() as table:
            table.zero(self.path(kind).key)
        self._zero(service)

    def zero_all(self, rig: Rig, _kind: str, _server: int) -> None:
        with rig.change() as table:
            table.zero(None)
        self.total = 0
        for service in self.services.values():
            self._zero(service)

    @staticmethod
    def _zero(service: Service) -> None:
        service.shown = 0
        if service.server is not None:
            service.known[service.server] = 0

    def compare(self) -> None:
        director = Director()
        assert director.totals().counters.connections == director.totals().counters.in_packets == self.total
        assert director.totals().counters.in_bytes == SIZE * self.total
        status = director.status()
        for kind, service in self.services.items():
            found = status[self.path(kind).key]
            assert (found.counters.connections, found.counters.in_bytes) == (service.shown, SIZE * service.shown)
            shown = [one.counters.connections for one in found.servers.values()]
            assert shown == ([] if service.server is None else [service.known[service.server]])


Step = Callable[[Model, Rig, str, int], None]
STEPS: tuple[Step, ...] = (
    *(Model.create, Model.delete, Model.zero, Model.zero_all),
    *(Model.serve, Model.serve, Model.serve, Model.serve),
    *(Model.send, Model.send, Model.send),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from(KINDS), st.sampled_from(SERVERS)), min_size=5, max_size=30
    )
)
def test_whatever_happens(rig: Rig, steps: list[tuple[Step, str, int]]) -> None:
    model = Model({kind: next(_PORTS) for kind in KINDS})
    with rig.change() as table:
        table.clear()
        table.zero(None)
    for kind in KINDS:
        model.create(rig, kind, 0)
    for step, kind, server in steps:
        step(model, rig, kind, server)
        model.compare()
