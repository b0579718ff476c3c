# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of a table, each by itself."""

from __future__ import annotations

from bpvs.model.address import Address
from bpvs.model.connection import Timeouts
from bpvs.model.server import RealServer
from bpvs.model.service import ServiceKey, VirtualService
from bpvs.model.table import Table

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager


class Operations:
    """Each method is one change() of its own: after an error nothing has changed.

    Several belong into one block, `with change() as table:`. The errors named are those of the table and of IPVS; a
    data plane adds NotBuilt and DirectorError.
    """

    def change(self) -> AbstractContextManager[Table]:
        """The table to be changed in a `with` block; published when it ends, dropped when it raises."""
        raise NotImplementedError

    def add_service(
        self, service: VirtualService, servers: Iterable[RealServer] = (), locals_: Iterable[Address] = ()
    ) -> None:
        """Add a service, with servers in their order, and for FullNAT with local addresses.

        The server added last has the first turn, as in IPVS. ServiceExists, UnknownScheduler, and the errors of
        add_server() and add_local().
        """
        with self.change() as table:
            table.add_service(service)
            for address in locals_:
                table.add_local(service.key, address)
            for server in servers:
                table.add_server(service.key, server)

    def edit_service(self, service: VirtualService) -> None:
        """Replace everything but servers and local addresses; NoSuchService, UnknownScheduler, SynproxyMethod."""
        with self.change() as table:
            table.edit_service(service)

    def delete_service(self, key: ServiceKey) -> None:
        """Remove a service, its servers and local addresses; NoSuchService."""
        with self.change() as table:
            table.delete_service(key)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        """Put a server at the head of the service's list.

        ServiceNotDefined, ServerExists, InvalidServer, OutOfRange, SynproxyMethod.
        """
        with self.change() as table:
            table.add_server(key, server)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        """Replace a server in its place of the list.

        ServiceNotDefined, NoSuchServer, InvalidServer, OutOfRange, SynproxyMethod.
        """
        with self.change() as table:
            table.edit_server(key, server)

    def set_weight(self, key: ServiceKey, address: Address, port: int, weight: int) -> None:
        """Change the weight of a server and nothing else of it; NoSuchService, NoSuchServer."""
        with self.change() as table:
            old = table.server(key, address, port)
            new = RealServer(address, port, old.method, weight, old.upper, old.lower, old.tunnel)
            table.edit_server(key, new)

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        """Remove a server; packets of its connections are dropped. ServiceNotDefined, NoSuchServer."""
        with self.change() as table:
            table.delete_server(key, address, port)

    def add_local(self, key: ServiceKey, address: Address) -> None:
        """Give FullNAT one more address to speak to servers from; ServiceNotDefined, InvalidLocal, LocalExists."""
        with self.change() as table:
            table.add_local(key, address)

    def delete_local(self, key: ServiceKey, address: Address) -> None:
        """Remove a local address; ServiceNotDefined, NoSuchLocal."""
        with self.change() as table:
            table.delete_local(key, address)

    def clear(self) -> None:
        """Remove all services."""
        with self.change() as table:
            table.clear()

    def zero(self, key: ServiceKey | None = None) -> None:
        """Let counters and rates of one service, or of everything, begin at zero; NoSuchService."""
        with self.change() as table:
            table.zero(key)

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Change the seconds that idle connections are kept, also of those that exist; 0 keeps what is."""
        with self.change() as table:
            table.set_timeouts(timeouts)

    def set_sysctls(self, values: Mapping[str, int]) -> None:
        """Change settings by name, all or none; InvalidSysctl. They last until the data plane is unloaded."""
        with self.change() as table:
            table.set_sysctls(values)
