# SPDX-License-Identifier: GPL-2.0-or-later
"""What this data plane can do: everything else is refused with a sentence before anything changes."""

from __future__ import annotations

from bpvs.director.identity import is_probe
from bpvs.director.plans import ENGINE, SCHEDULERS
from bpvs.kernel import _abi
from bpvs.model import (
    Address,
    Check,
    Family,
    InvalidLocal,
    InvalidServer,
    Method,
    NoRoom,
    NotBuilt,
    Protocol,
    RealServer,
    UnknownScheduler,
    VirtualService,
)
from bpvs.model.value import dataclass
from bpvs.net.address import Judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self


NO_SERVICE = f"no room for another service: an instance holds {_abi.MAX_SERVICES - 1}"
NO_SERVER = f"no room for another real server: an instance holds {_abi.MAX_DESTS - 1}"


@dataclass(frozen=True, slots=True)
class Place:
    """What the routing tables say of a real server: the director itself, or which source address goes there."""

    is_local: bool
    source: Address | None


def place_of(judge: Judge, address: Address) -> Place:
    """Where the routing tables say that an address is."""
    is_local = judge.is_local(address)
    return Place(is_local, None if is_local else judge.source(address))


class Capability(Check):
    """The check of one change; a context manager, because it asks the kernel about addresses.

    `judge`: makes what it asks, when it has to. `places`: what it learned about the addresses of servers that were
    added or edited.
    """

    def __init__(self, judge: Callable[[], Judge]) -> None:
        self._new_judge = judge
        self._judge: Judge | None = None
        self.places: dict[Address, Place] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._judge is not None:
            self._judge.__exit__(*exception)

    def room(self, services: int, servers: int) -> None:
        """Raise NoRoom for more than an instance holds; what removed servers still take is seen when publishing."""
        if services >= _abi.MAX_SERVICES:
            raise NoRoom(NO_SERVICE)
        if servers >= _abi.MAX_DESTS:
            raise NoRoom(NO_SERVER)

    def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
        """Raise NotBuilt or UnknownScheduler for what cannot be done."""
        _check_service(service)
        for server in servers:
            _check_pair(service, server)
            if service.synproxy:
                self._require_remote(server, "SYNPROXY (-j)")

    def server(self, service: VirtualService, server: RealServer) -> None:
        """Raise NotBuilt or InvalidServer for what cannot be done."""
        _check_pair(service, server)
        if server.address.family is not service.key.family and not _crosses(service, server):
            raise InvalidServer
        self._place(server.address)
        if server.method is Method.FULLNAT:
            self._require_remote(server, "FullNAT (-b)")
        if service.synproxy:
            self._require_remote(server, "SYNPROXY (-j)")

    def local(self, service: VirtualService, address: Address) -> None:
        """Raise InvalidLocal for an address that is a broadcast address here."""
        if not self._judging().is_server_address(address):
            raise InvalidLocal

    def _judging(self) -> Judge:
        if self._judge is None:
            self._judge = self._new_judge()
        return self._judge

    def _require_remote(self, server: RealServer, what: str) -> None:
        if self._place(server.address).is_local:
            raise NotBuilt(f"{what} does not go with {server.address}, which is an address of the director itself")

    def _place(self, address: Address) -> Place:
        known = self.places.get(address)
        if known is not None:
            return known
        judge = self._judging()
        if not judge.is_server_address(address):
            raise InvalidServer
        place = self.places[address] = place_of(judge, address)
        return place


def _check_service(service: VirtualService) -> None:
    if is_probe(service.key):
        last = _abi.FIRST_PROBE_MARK + _abi.PROBE_MARKS - 1
        raise NotBuilt(
            f"mark {service.key.fwmark} is kept for probes, as all from {_abi.FIRST_PROBE_MARK} to {last}: take another"
        )
    if service.engine not in ("", ENGINE) or service.scheduler not in SCHEDULERS:
        raise UnknownScheduler


def _check_pair(service: VirtualService, server: RealServer) -> None:
    if server.method is not Method.FULLNAT:
        return
    if service.key.protocol is Protocol.SCTP:
        raise NotBuilt("FullNAT does not forward SCTP: use -m, -g or -i")
    if service.ops:
        raise NotBuilt(
            f"one-packet scheduling (-o) does not go with FullNAT (-b), as of {server.address}: "
            "nothing would be kept by which replies find their client"
        )


def _crosses(service: VirtualService, server: RealServer) -> bool:
    """Whether the server may have the other family: in a tunnel, or as an IPv4 server of FullNAT for IPv6 clients."""
    return server.method is Method.TUNNEL or (server.method is Method.FULLNAT and service.key.family is Family.IPV6)
