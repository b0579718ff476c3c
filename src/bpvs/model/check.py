# SPDX-License-Identifier: GPL-2.0-or-later
"""What a data plane adds to the rules of the table."""

from __future__ import annotations

from collections.abc import Iterable

from bpvs.model.address import Address
from bpvs.model.server import RealServer
from bpvs.model.service import VirtualService


class Check:
    """Allows everything; a data plane overrides the methods and refuses by raising a BpvsError.

    The table asks after its own rules and before it changes anything.
    """

    def room(self, services: int, servers: int) -> None:
        """The table is about to hold so many."""

    def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
        """A service is about to be added or edited; `servers` are those that it has, none for a new one."""

    def server(self, service: VirtualService, server: RealServer) -> None:
        """A server of `service` is about to be added or edited."""

    def local(self, service: VirtualService, address: Address) -> None:
        """A local address is about to be added to `service`."""
