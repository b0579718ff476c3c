# SPDX-License-Identifier: GPL-2.0-or-later
"""`--json`: the listings for programs. schema.json says what they look like.

One entry a line, written as it is read: a table of a million connections needs no memory for them all.
"""

from __future__ import annotations

from json import JSONEncoder

from bpvs.ipvsadm.show import content_of
from bpvs.model import ServiceStatus
from bpvs.text.document import (
    SCHEMA_VERSION,
    connection_documents,
    locals_document,
    service_document,
    settings_document,
    timeouts_document,
)

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorPort
    from bpvs.model import Table
    from bpvs.text.command import Command
    from bpvs.text.document import Document

_encode = JSONEncoder(check_circular=False).encode  # our values hold no circles
_NO_STATUS = ServiceStatus()


def show_json(command: Command, director: DirectorPort, pending: Table | None, stdout: TextIO) -> None:
    """Print what the command asks for, the same listing whatever else it says of columns; arguments as of `show`."""
    if "connection" in command.given:
        _write(stdout, _head("connections"), "connections", connection_documents(director.connections()))
    elif "timeout" in command.given:
        timeouts = director.timeouts() if pending is None else pending.timeouts.over(director.timeouts())
        stdout.write(f"{_encode({**_head('timeouts'), 'timeouts': timeouts_document(timeouts)})}\n")
    elif "daemon" in command.given:
        _write(stdout, _head("daemons"), "daemons", ())
    else:
        table = director.table() if pending is None else pending
        _write(stdout, *_services(command, director, table))


def _services(command: Command, director: DirectorPort, table: Table) -> tuple[Document, str, Iterator[Document]]:
    """The document's head, the name of its list and what is in that."""
    content = content_of(command, table)
    if command.name == "save":
        head: Document = {**_head("saved"), "sysctls": {**director.sysctls(), **table.sysctls}}
        return head, "services", (settings_document(*whole) for whole in content)
    status = director.status() if len(table) else {}
    if command.name == "get-laddr":
        addressed = (
            locals_document(service.key, addresses, status.get(service.key, _NO_STATUS))
            for service, _, addresses in content
            if addresses or command.key is not None
        )
        return _head("local-addresses"), "services", addressed
    services = (
        service_document(service, servers, addresses, status.get(service.key, _NO_STATUS))
        for service, servers, addresses in content
    )
    return _head("services"), "services", services


def _head(listing: str) -> Document:
    return {"schema_version": SCHEMA_VERSION, "listing": listing}


def _write(stdout: TextIO, head: Document, name: str, entries: Iterable[Document]) -> None:
    stdout.write(f"{_encode(head)[:-1]}, {_encode(name)}: [")
    before = "\n"
    for entry in entries:
        stdout.write(before + _encode(entry))
        before = ",\n"
    stdout.write("\n]}\n")
