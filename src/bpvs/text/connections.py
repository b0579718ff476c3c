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
    near_ends: dict[tuple[bytes, int, bytes, int, int], tuple[str, str]] = {}
    hosts: dict[bytes, str] = {}
    heads: dict[tuple[int, str, int], str] = {}
    for entry in connections:
        protocol = entry.protocol
        ends = (entry.virtual.packed, entry.virtual_port, entry.server.packed, entry.server_port, protocol or 0)
        near = near_ends.get(ends)
        if near is None:
            virtual = names.text(entry.virtual, entry.virtual_port, protocol)
            near = near_ends[ends] = f"{virtual:18}", names.text(entry.server, entry.server_port, protocol)
        virtual, server = near
        if with_engine and entry.engine:
            server = f"{server:16} {entry.engine:18} {entry.engine_data}"
        about = (int(entry.expires), entry.state, protocol or 0)
        head = heads.get(about)
        if head is None:
            minutes, seconds = divmod(about[0], 60)
            time = f"{minutes:02d}:{seconds:02d}"
            head = heads[about] = f"{_PROTOCOLS[protocol]} {time:6} {entry.state:11}"
        packed = entry.client.packed
        host = hosts.get(packed)
        if host is None:
            host = hosts[packed] = names.host(entry.client)
        client = f"{host}:{entry.client_port if is_numeric else names.port(entry.client_port, protocol)}"[:NAME_ROOM]
        yield f"{head} {client:18} {virtual} {server}\n"


def timeout_line(timeouts: Timeouts) -> str:
    """The line of `-L --timeout`."""
    return f"Timeout (tcp tcpfin udp): {timeouts.tcp} {timeouts.tcp_fin} {timeouts.udp}\n"
