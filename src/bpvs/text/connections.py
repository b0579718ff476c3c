# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ipvsadm -L -c` and `-L --timeout` print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bpvs.model import Connection, Protocol, Timeouts
from bpvs.text.endpoint import NAME_ROOM, EndpointPrinter

_PROTOCOLS = {Protocol.TCP: "TCP", Protocol.UDP: "UDP", Protocol.SCTP: "SCTP", None: "IP "}
_TITLE = f"IPVS connection entries\npro expire {'state':11} {'source':18} {'virtual':18} "


def connection_title(with_engine: bool) -> str:
    """The two lines above the entries; `with_engine` adds the columns of the persistence engine."""
    return _TITLE + (f"{'destination':18} {'pe name':16} pe_data\n" if with_engine else "destination\n")


def connection_lines(connections: Iterable[Connection], names: EndpointPrinter, with_engine: bool) -> Iterator[str]:
    """One line for each entry, in the given order; seconds are rounded down, minutes may exceed 99."""
    is_numeric = names.is_numeric
    # A million entries share few services, servers and times, and many a client has several.
    heads: dict[tuple[int, str, Protocol | None], str] = {}
    hosts: dict[bytes, str] = {}
    near_ends: dict[tuple[bytes, int, bytes, int, Protocol | None], tuple[str, str]] = {}
    for entry in connections:
        protocol, virtual, server, client = entry.protocol, entry.virtual, entry.server, entry.client.packed
        about = int(entry.expires), entry.state, protocol
        try:
            head = heads[about]
        except KeyError:
            head = heads[about] = _head(*about)
        try:
            host = hosts[client]
        except KeyError:
            host = hosts[client] = names.host(entry.client)
        port = entry.client_port if is_numeric else names.port(entry.client_port, protocol)
        source = f"{host}:{port}"[:NAME_ROOM]
        ends = virtual.packed, entry.virtual_port, server.packed, entry.server_port, protocol
        try:
            near, real = near_ends[ends]
        except KeyError:
            near = f"{names.text(virtual, entry.virtual_port, protocol):18}"
            real = names.text(server, entry.server_port, protocol)
            near_ends[ends] = near, real
        if with_engine and entry.engine:
            real = f"{real:16} {entry.engine:18} {entry.engine_data}"
        yield f"{head} {source:18} {near} {real}\n"


def _head(seconds: int, state: str, protocol: Protocol | None) -> str:
    minutes, seconds = divmod(seconds, 60)
    time = f"{minutes:02d}:{seconds:02d}"
    return f"{_PROTOCOLS[protocol]} {time:6} {state:11}"


def timeout_line(timeouts: Timeouts) -> str:
    """The line of `-L --timeout`."""
    return f"Timeout (tcp tcpfin udp): {timeouts.tcp} {timeouts.tcp_fin} {timeouts.udp}\n"
