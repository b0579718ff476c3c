# SPDX-License-Identifier: GPL-2.0-or-later
"""What this data plane can do: everything else is refused with a sentence before anything changes."""

from __future__ import annotations

from bpvs.director.turns import SCHEDULERS
from bpvs.model import (
    Address,
    Check,
    InvalidServer,
    Method,
    NotBuilt,
    Protocol,
    RealServer,
    UnknownScheduler,
    VirtualService,
)
from bpvs.net.address import Judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

_METHODS = {
    Method.ROUTE: "direct routing (-g, the default) is not built yet: use -m (masquerading)",
    Method.TUNNEL: "tunneling (-i) is not built yet: use -m (masquerading)",
    Method.FULLNAT: "FullNAT (-b) is not built yet: use -m (masquerading)",
}


class Capability(Check):
    """The check of one change; a context manager, because it asks the kernel about addresses."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._judge is not None:
            self._judge.__exit__(*exception)

    def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
        """Raise NotBuilt or UnknownScheduler for what cannot be done."""
        _check_service(service)

    def server(self, service: VirtualService, server: RealServer) -> None:
        """Raise NotBuilt or InvalidServer for what cannot be done."""
        _check_server(server)
        self._check_address(server.address)

    def local(self, service: VirtualService, address: Address) -> None:
        """Raise NotBuilt."""
        raise NotBuilt("local addresses (-P) are not built yet: they belong to FullNAT")

    def _check_address(self, address: Address) -> None:
        if self._judge is None:
            self._judge = Judge()
        if not self._judge.is_server_address(address):
            raise InvalidServer
        if self._judge.is_local(address):
            raise NotBuilt(f"{address} is an address of the director: real servers on the director are not built yet")


def _check_service(service: VirtualService) -> None:
    if service.key.fwmark:
        raise NotBuilt("firewall-mark services (-f) are not built yet: use -t or -u")
    if service.key.protocol is Protocol.SCTP:
        raise NotBuilt("SCTP services are not built yet: use -t or -u")
    if service.persistence is not None or service.engine:
        raise NotBuilt("persistent services (-p, --pe) are not built yet: leave -p out")
    if service.ops:
        raise NotBuilt("one-packet scheduling (-o) is not built yet: leave -o out")
    if service.synproxy:
        raise NotBuilt("SYNPROXY (-j) is not built yet: leave -j out")
    if service.scheduler not in SCHEDULERS:
        raise UnknownScheduler
    if service.flags:
        raise NotBuilt("scheduler flags (-b) are not built yet: leave -b out")


def _check_server(server: RealServer) -> None:
    if server.method in _METHODS:
        raise NotBuilt(_METHODS[server.method])
    if server.upper or server.lower:
        raise NotBuilt("connection thresholds (-x, -y) are not built yet: leave them out")
