# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that print: `-L` in all its forms, `-G` and `-S`."""

from __future__ import annotations

from itertools import islice

from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.listing import VERSION_LINE, Listing
from bpvs.text.order import sorted_servers, sorted_services

_LINES_AT_ONCE = 1000  # of what may be a million

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

    if "json" in command.given:
        from bpvs.ipvsadm.as_json import show_json

        show_json(command, director, pending, stdout)
        return
    names = EndpointPrinter(None if "numeric" in command.given else resolver)
    if command.name == "save":
        _save(command, director, pending, names, stdout)
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


def content_of(
    command: Command, table: Table
) -> Iterator[tuple[VirtualService, Iterable[RealServer], tuple[Address, ...]]]:
    """The services that the command asks for, each with its servers and local addresses; NoSuchService at once."""
    in_order = "nosort" not in command.given
    services: Iterable[VirtualService]
    if command.key is not None:
        services = [table.service(command.key)]
    else:
        services = sorted_services(table.services()) if in_order else table.services()

    def content() -> Iterator[tuple[VirtualService, Iterable[RealServer], tuple[Address, ...]]]:
        for service in services:
            servers = table.servers(service.key)
            yield service, sorted_servers(servers) if in_order else servers, table.locals(service.key)

    return content()


def _save(
    command: Command, director: DirectorPort, pending: Table | None, names: EndpointPrinter, stdout: TextIO
) -> None:
    from bpvs.text.save import save_lines
    from bpvs.text.sysctls import sysctl_lines

    table = director.table() if pending is None else pending
    stdout.writelines(sysctl_lines({**director.sysctls(), **table.sysctls}))
    stdout.writelines(save_lines(content_of(command, table), names))


def _locals(command: Command, director: DirectorPort, table: Table, names: EndpointPrinter, stdout: TextIO) -> None:
    from bpvs.text.locals import local_lines, local_title

    content = [
        (service.key, addresses)
        for service, _, addresses in content_of(command, table)
        if addresses or command.key is not None
    ]
    stdout.write(local_title())
    stdout.writelines(local_lines(content, director.status() if content else {}, names))


def _connections(director: DirectorPort, names: EndpointPrinter, with_engine: bool, stdout: TextIO) -> None:
    from bpvs.text.connections import connection_lines, connection_title

    stdout.write(connection_title(with_engine))
    lines = connection_lines(director.connections(), names, with_engine)
    while some := "".join(islice(lines, _LINES_AT_ONCE)):
        stdout.write(some)


def _services(command: Command, director: DirectorPort, table: Table, listing: Listing, stdout: TextIO) -> None:
    content = content_of(command, table)
    if command.key is None:
        stdout.write(VERSION_LINE)
    stdout.write(listing.title())
    status: Mapping[ServiceKey, ServiceStatus] = director.status() if len(table) else {}
    stdout.writelines(listing.entries(((service, servers) for service, servers, _ in content), status))
