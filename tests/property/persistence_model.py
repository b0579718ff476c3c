# SPDX-License-Identifier: GPL-2.0-or-later
"""IPVS's persistence, written down a second time (net/netfilter/ipvs/ip_vs_core.c, ip_vs_sched_persist; ip_vs_conn.c).

Clients are numbers. Time is in seconds and passes only when it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.property.scheduler_model import Packet, Server, Service

AGAIN = 60.0
FTP = 21


@dataclass(eq=False)
class Template:
    """`client`: under its mask. `leads`: not, once its server was found missing."""

    client: int
    server: Server
    timeout: float
    left: float
    leads: bool = True
    connections: int = 0


@dataclass
class Persistence:
    """A service with its templates; `service` has its servers and its scheduler."""

    service: Service
    timeout: float
    mask: int
    expire_quiescent: bool
    templates: list[Template] = field(default_factory=list)

    def connect(self, client: int, packet: Packet) -> Template | None:
        """The template that a new connection is of, None if it finds no server."""
        found = next((one for one in self.templates if one.leads and one.client == client & self.mask), None)
        if found and not self._is_usable(found.server):
            found.leads, found = False, None
        if not found:
            name = self.service.connect(packet)
            server = self.service.server(name) if name else None
            if server is None:
                return None
            found = Template(client & self.mask, server, self.timeout, self.timeout)
            self.templates.append(found)
        found.left = found.timeout
        found.connections += 1
        return found

    def wait(self, seconds: float) -> None:
        """The time of templates passes: what is over ends, or gets a minute more if it has connections."""
        for one in list(self.templates):
            one.left -= seconds
            if one.left <= 0 and one.connections:
                one.timeout = one.left = AGAIN
            elif one.left <= 0:
                self.templates.remove(one)

    def shown(self) -> Iterator[tuple[int, str, bool, int]]:
        """Client, server, whether it leads there, and whole seconds left, of each template."""
        for one in self.templates:
            yield one.client, one.server.name, one.leads, round(one.left)

    def _is_usable(self, server: Server) -> bool:
        return server.is_listed and not (self.expire_quiescent and not server.weight)
