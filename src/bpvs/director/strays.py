# SPDX-License-Identifier: GPL-2.0-or-later
"""The ports on which NAT serves: what comes from there is looked at more closely (nat_icmp_send, engine sip)."""

from __future__ import annotations

import struct
from _socket import htons
from collections.abc import Iterable

from bpvs.director.identity import is_probe
from bpvs.director.rows import Row
from bpvs.director.sysctls import read_sysctls
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Method


def settle(instance: Instance, rows: Iterable[Row]) -> None:
    """Make `nat_servers` agree with the rows; empty while nobody asks for it."""
    listed = (row for row in rows if not is_probe(row.service.key))
    rows = sorted(listed, key=_has_engine)  # one server of several services: the engine's counts
    wanted = _wanted(rows if read_sysctls(instance)["nat_icmp_send"] else filter(_has_engine, rows))
    servers = instance.nat_servers
    for key in servers:
        if key not in wanted:
            del servers[key]
    for key, dest in wanted.items():
        if servers[key] != dest:
            servers[key] = dest


def _has_engine(row: Row) -> bool:
    return row.service.engine != ""


def _wanted(rows: Iterable[Row]) -> dict[bytes, bytes]:
    """Address, port and protocol to the row of `dests`; a server that takes any port has none that would tell it."""
    return {
        _abi.SERVICE_KEY.pack(
            address=server.address.mapped, port=htons(server.port), protocol=int(row.service.key.protocol or 0)
        ): struct.pack("=I", dest)
        for row in rows
        for server, dest in zip(row.servers, row.dests, strict=True)
        if server.method is Method.NAT and server.port
    }
