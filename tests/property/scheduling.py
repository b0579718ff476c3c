# SPDX-License-Identifier: GPL-2.0-or-later
"""One virtual service in the director and as a model, changed together and given the same connections."""

from __future__ import annotations

import struct
from collections import defaultdict

from bpvs.director.rows import read_rows
from bpvs.model import FLAG_1, FLAG_2, Address, Family, Method, Protocol, RealServer, ServiceKey, Table, VirtualService
from tests.packets.frames import Flow, Path, Shape
from tests.packets.rig import Action, Hook, Rig, loaded
from tests.property.scheduler_model import Packet, Service
from tests.property.schedulers import SCHEDULERS

VIRTUAL, VIRTUAL6 = Address.parse("10.0.0.111"), Address.parse("fd00::111")
NAMES = tuple(f"rs{number}" for number in range(1, 21))
ADDRESSES = {name: (Address.parse(f"10.8.0.{name[2:]}"), 80) for name in NAMES}
ADDRESSES6 = {name: (Address.parse(f"fd08::{name[2:]}"), 80) for name in NAMES}
RECORDED = {name: (Address.parse(f"10.0.1.1{name[2:]}"), 80) for name in NAMES[:3]}
FLAGS = {"sh-fallback": FLAG_1, "mh-fallback": FLAG_1, "sh-port": FLAG_2, "mh-port": FLAG_2}
NEVER = 2**31 - 1  # thresholds that make a server one that may be overloaded

Open = tuple[Address, int]  # an end of a connection


class Wire:
    """The frames of one family; addresses and ports are put into them where they stand, checksums stay wrong."""

    def __init__(self, client: str, virtual: Address, gateway: str, ends: str, ends_at: int) -> None:
        flow = Flow(Path(client, str(virtual), 80, gateway, 80), 1024)
        self.syn = flow.request(Shape())
        self.fin = flow.reply(Shape(flags="FA"))
        self.ends = struct.Struct(ends)
        self.ends_at = ends_at

    def put(self, frame: bytes, source: Open, destination: Open) -> bytes:
        """The frame from one end to the other."""
        ends = self.ends.pack(source[0].packed, destination[0].packed, source[1], destination[1])
        return frame[: self.ends_at] + ends + frame[self.ends_at + len(ends) :]

    def destination(self, frame: bytes) -> Address:
        """The address that a frame is for."""
        packed = self.ends.unpack_from(frame, self.ends_at)[1]
        return Address(Family.IPV4 if len(packed) == 4 else Family.IPV6, packed)


WIRES = {
    Family.IPV4: Wire("10.9.0.2", VIRTUAL, "10.8.0.18", "!4s4sHH", 26),  # 18: the station of the servers' gateway
    Family.IPV6: Wire("fd09::2", VIRTUAL6, "fd08::18", "!16s16sHH", 22),
}
# "server", its name, its weight (added or edited); "delete", its name, anything; "scheduler", its name, its flags
Step = tuple[str, str, int | frozenset[str]]


class Trial:
    """A service of its own, so that no connection of a trial before counts; the only one of the table."""

    def __init__(
        self,
        rig: Rig,
        scheduler: str,
        flags: frozenset[str] = frozenset(),
        hook: Hook = Hook.TC,
        *,
        virtual: Address = VIRTUAL,
        addresses: dict[str, tuple[Address, int]] = ADDRESSES,
        is_marked: bool = False,
    ) -> None:
        self._rig = rig
        self._hook = hook
        self._open: dict[str, list[Open]] = defaultdict(list)
        self._wire = WIRES[virtual.family]
        self._names = {address: name for name, (address, _) in addresses.items()}
        self._mark = rig.port() if is_marked else 0  # its packets are for any address and port
        self._port = 80 if is_marked else rig.port()
        self.key = ServiceKey.marked(self._mark) if is_marked else ServiceKey.at(Protocol.TCP, virtual, self._port)
        self.model = Service.begin(SCHEDULERS[scheduler], addresses, flags)
        with rig.change() as table:
            table.clear()
            table.add_service(self._service(scheduler, flags))

    def change(self, *steps: Step) -> None:
        """One command that makes these changes in the order given."""
        with self._rig.change() as table:
            for step in steps:
                self._apply(table, step)

    def _apply(self, table: Table, step: Step) -> None:
        match step:
            case ("server", str(name), int(weight)) if self.model.server(name):
                table.edit_server(self.key, self._server(name, weight))
                self.model.edit(name, weight)
            case ("server", str(name), int(weight)):
                table.add_server(self.key, self._server(name, weight))
                self.model.add(name, weight)
            case ("delete", str(name), _) if server := self.model.server(name):
                if server.is_overloaded:  # no thresholds would keep one without connections so
                    self.overload(name, is_overloaded=False)
                table.delete_server(self.key, *self.model.addresses[name])
                self.model.delete(name)
            case ("scheduler", str(scheduler), frozenset() as flags):
                table.edit_service(self._service(scheduler, flags))
                self.model.choose(SCHEDULERS[scheduler], flags)

    def overload(self, name: str, *, is_overloaded: bool) -> None:
        """As thresholds would do it, whatever the number of connections."""
        loaded().dests.store(self.dest(name), "overloaded", int(is_overloaded))
        server = self.model.server(name)
        assert server is not None
        server.is_overloaded = is_overloaded

    def load(self, name: str, active: int, inactive: int) -> None:
        """Give it connections that nobody opened."""
        loaded().dests.store(self.dest(name), "active", active)
        loaded().dests.store(self.dest(name), "inactive", inactive)
        server = self.model.server(name)
        assert server is not None
        server.active, server.inactive = active, inactive

    def connect(self, packet: Packet) -> str | None:
        """The server that a new connection of that client gets."""
        wire = self._wire
        syn = wire.put(wire.syn, (packet.source, packet.port), (packet.destination, self._port))
        action, frame = self._rig.run_uncounted(self._hook, syn, mark=self._mark)
        if action not in (Action.REDIRECT, Action.TX):
            return None
        name = self._names.get(wire.destination(frame))
        if name:  # else the packet is turned round: the client is told that there is no server
            self._open[name].append((packet.source, packet.port))
        return name

    def close(self, name: str) -> None:
        """The server ends one of its connections, if it has one and is listed: a removed one's packets are dropped."""
        if not self._open[name] or self.model.server(name) is None:
            return
        server, port = self.model.addresses[name]
        fin = self._wire.put(self._wire.fin, (server, port or self._port), self._open[name].pop())
        self._rig.run_uncounted(self._hook, fin, "back")
        self.model.close(name)

    def dest(self, name: str) -> int:
        """The server's row of `dests`."""
        row = read_rows(loaded())[self.key]
        places = [(server.address, server.port) for server in row.servers]
        return row.dests[places.index(self.model.addresses[name])]

    def counts(self) -> tuple[tuple[int, int], ...]:
        """Active and inactive connections of the servers, oldest first."""
        row = read_rows(loaded())[self.key]
        return tuple(loaded().dests.read(dest, "active", "inactive") for dest in reversed(row.dests))

    def _service(self, scheduler: str, flags: frozenset[str]) -> VirtualService:
        return VirtualService(self.key, scheduler, flags=sum(FLAGS[flag] for flag in flags))

    def _server(self, name: str, weight: int) -> RealServer:
        return RealServer(*self.model.addresses[name], Method.NAT, weight, upper=NEVER)
