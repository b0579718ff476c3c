# SPDX-License-Identifier: GPL-2.0-or-later
"""A persistent service at an address of its own: its clients, where they go, and the templates that send them there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.lab.wait import until
from bpvs.model import Address, Connection, Method, Protocol, RealServer, ServerStatus, ServiceKey, VirtualService
from bpvs.model.server import NO_TUNNEL
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape
from tests.packets.listing import connection_of
from tests.packets.rig import Hook, Rig, loaded

SERVERS = (11, 12, 13)
TIMEOUT = 100
SWEEP_S = 5.0  # all connections are looked at about once a second
_UNITS_PER_S = 1e9 / 2**20  # of clock_ms()
_WORD = 0xFFFFFFFF
_LINK = 2


def nth_client(number: int, is_ipv6: bool = False) -> str:
    """Clients behind the router; 0 is the client itself."""
    if not number:
        return CLIENT6 if is_ipv6 else CLIENT
    return f"fd09::{number:x}" if is_ipv6 else f"10.9.{number >> 8}.{number & 0xFF}"


@dataclass(frozen=True, slots=True)
class Sticky:
    """The service, and the hook that meets its clients; a server is called by the last number of its address."""

    rig: Rig
    hook: Hook
    service: VirtualService
    method: Method
    servers_port: int

    @property
    def key(self) -> ServiceKey:
        return self.service.key

    @property
    def address(self) -> Address:
        assert self.key.address is not None
        return self.key.address

    def server(self, number: int, **fields: Any) -> RealServer:
        """One of its servers."""
        address = Address.parse(f"fd0{_LINK}::{number}" if self.address.is_ipv6 else f"10.{_LINK}.0.{number}")
        made = RealServer(address, self.servers_port, self.method)
        return replace(made, **fields)

    def flow(self, client: int = 0, port: int | None = None, protocol: Protocol | None = None) -> Flow:
        """From a port of that client that is not yet in use, to the service or to another port of its address."""
        chosen = protocol or self.key.protocol
        assert chosen is not None
        virtual_port = self.key.port if port is None else port
        is_ipv6 = self.address.is_ipv6
        there = self.server(SERVERS[0])
        path = Path(nth_client(client, is_ipv6), str(self.address), virtual_port, str(there.address), 0, chosen)
        return Flow(replace(path, method=self.method, tunnel=NO_TUNNEL), self.rig.port())

    def ask(self, client: int = 0, port: int | None = None) -> int | None:
        """The server of a new connection, None if it gets none."""
        flow = self.flow(client, port)
        if not self.rig.run(self.hook, flow.request(Shape())).is_forwarded:
            return None
        return self.server_of(flow)

    def open(self, client: int = 0, port: int | None = None) -> Flow:
        """A new connection, with the server that it got."""
        flow = self.flow(client, port)
        assert self.rig.run(self.hook, flow.request(Shape())).is_forwarded
        one = connection_of(flow)
        assert one is not None
        return replace(flow, path=replace(flow.path, server=str(one.server), server_port=one.server_port))

    @staticmethod
    def server_of(flow: Flow) -> int | None:
        """Where the flow's connection goes."""
        one = connection_of(flow)
        return int(str(one.server).replace(":", ".").rpartition(".")[2]) if one else None

    def templates(self) -> list[Connection]:
        """Those with the service's address, oldest row first."""
        return [one for one in Director().connections() if one.is_template and one.virtual == self.address]

    def wait_without_templates(self) -> None:
        """Until the last one has ended."""
        until(lambda: not self.templates(), "the templates should end", SWEEP_S)

    def template(self) -> Connection:
        """The only one."""
        (one,) = self.templates()
        return one

    def status(self, number: int) -> ServerStatus:
        """What is shown of a server."""
        return Director().status()[self.key].servers[self.server(number).address, self.servers_port]

    def counts(self, number: int) -> tuple[int, int, int]:
        """A server's templates, and active and inactive connections."""
        status = self.status(number)
        return status.persistent, status.active, status.inactive

    def age(self, seconds: float, of: Flow | None = None) -> None:
        """Seconds pass for the connection, or for all templates of the service."""
        conns, high = loaded().conns, loaded().runtime.load(0, "conn_high")
        fields = ("state", "client_port", "virtual")
        wanted = of.port if of else 0
        for row, (state, port, virtual) in enumerate(conns.rows(0, high, *fields)):
            is_meant = virtual == self.address.mapped and int.from_bytes(port.to_bytes(2, "little"), "big") == wanted
            if is_meant and state & _abi.CONN_USED:
                conns.store(row, "seen", round(conns.load(row, "seen") - seconds * _UNITS_PER_S) & _WORD)

    def end(self, flow: Flow) -> None:
        """Let the connection's time be over."""
        self.age(1 << 20, flow)
        until(lambda: connection_of(flow) is None, "the connection should end", SWEEP_S)


def sticky(
    rig: Rig,
    hook: Hook,
    *,
    port: int = 80,
    protocol: Protocol = Protocol.TCP,
    is_ipv6: bool = False,
    servers: tuple[int, ...] = SERVERS,
    method: Method = Method.NAT,
    servers_port: int | None = None,
    **fields: Any,
) -> Sticky:
    """A service with scheduler rr that no test had before; its servers are asked in the order given.

    `fields`: of VirtualService, where they are not TIMEOUT seconds of persistence and the rest's defaults.
    """
    number = rig.port()
    address = f"fd00:1::{number:x}" if is_ipv6 else f"10.11.{number >> 8}.{number & 0xFF}"
    key = ServiceKey.at(protocol, Address.parse(address), port)
    service = replace(VirtualService(key, "rr", persistence=TIMEOUT), **fields)
    made = Sticky(rig, hook, service, method, servers_port if servers_port is not None else (8080 if port else 0))
    with rig.change() as table:
        table.clear()
        table.add_service(service)
        for one in reversed(servers):  # newest first
            table.add_server(key, made.server(one))
    return made
