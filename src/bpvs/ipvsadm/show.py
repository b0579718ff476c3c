# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that print: `-L` in all its forms, `-G` and `-S`."""

from __future__ import annotations

from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.listing import VERSION_LINE, Listing
from bpvs.text.order import sorted_servers, sorted_services

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorPort
    from bpvs.model import Address, RealServer, ServiceKey, ServiceStatus, Table, VirtualService
    from bpvs.text.command import Command
    from bpvs.text.names import Resolver


def show(command: Command, director: DirectorPort, pending: Table | None, resolver: Resolver, stdout: TextIO) -> None:
    """Print what the command asks for; NoSuchService, with nothing printed, for a service that is not there.

    `pending`: the table to print inside `-R`, where it is not the director's.
    """

    def table() -> Table:
        return director.table() if pending is None else pending

    names = EndpointPrinter(None if "numeric" in command.given else resolver)
    if command.name == "save":
        _save(table(), names, stdout)
    elif command.name == "get-laddr":
        _locals(command, director, table(), names, stdout)
    elif "connection" in command.given:
        _connections(director, names, "persistent-conn" in command.given, stdout)
    elif "timeout" in command.given:
        from bpvs.text.connections import timeout_line

        timeouts = director.timeouts()
        stdout.write(timeout_line(timeouts if pending is None else pending.timeouts.over(timeouts)))
    elif "daemon" not in command.given:  # no daemon ever runs, and IPVS prints nothing then
        _services(command, director, table(), Listing(command.given, names), stdout)


def _save(table: Table, names: EndpointPrinter, stdout: TextIO) -> None:
    from bpvs.text.save import save_lines

    content = _content(table, sorted_services(table.services()), True)
    stdout.writelines(
        save_lines(((service, servers, table.locals(service.key)) for service, servers in content), names)
    )


def _locals(command: Command, director: DirectorPort, table: Table, names: EndpointPrinter, stdout: TextIO) -> None:
    from bpvs.text.locals import local_lines, local_title

    content: list[tuple[ServiceKey, tuple[Address, ...]]]
    if command.key is None:
        every = ((service.key, table.locals(service.key)) for service in sorted_services(table.services()))
        content = [(key, addresses) for key, addresses in every if addresses]
    else:
        content = [(command.key, table.locals(command.key))]
    stdout.write(local_title())
    stdout.writelines(local_lines(content, director.status() if content else {}, names))


def _connections(director: DirectorPort, names: EndpointPrinter, with_engine: bool, stdout: TextIO) -> None:
    from bpvs.text.connections import connection_lines, connection_title

    stdout.write(connection_title(with_engine))
    stdout.writelines(connection_lines(director.connections(), names, with_engine))


def _services(command: Command, director: DirectorPort, table: Table, listing: Listing, stdout: TextIO) -> None:
    in_order = "nosort" not in command.given
    services: Iterable[VirtualService]
    if command.key is None:
        services = sorted_services(table.services()) if in_order else table.services()
        stdout.write(VERSION_LINE)
    else:
        services = [table.service(command.key)]
    stdout.write(listing.title())
    status: Mapping[ServiceKey, ServiceStatus] = director.status() if len(table) else {}
    stdout.writelines(listing.entries(_content(table, services, in_order), status))


def _content(
    table: Table, services: Iterable[VirtualService], in_order: bool
) -> Iterator[tuple[VirtualService, Iterable[RealServer]]]:
    for service in services:
        servers = table.servers(service.key)
        yield service, sorted_servers(servers) if in_order else servers
