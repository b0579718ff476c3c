# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ipvsadm -n` printed, read back strictly: a line that is not as it should be raises ValueError."""

from __future__ import annotations

from dataclasses import dataclass

_LIST_HEAD = [
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port Scheduler Flags",
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
]
_STATS_HEAD = [
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
    "  -> RemoteAddress:Port",
]
_CONNECTIONS_HEAD = [
    "IPVS connection entries",
    "pro expire state       source             virtual            destination",
]


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server of `ipvsadm -L -n`."""

    method: str
    weight: int
    active: int
    inactive: int


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One service of `ipvsadm -L -n`; `servers` by "address:port", in the order of the listing."""

    scheduler: str
    servers: dict[str, ServerRow]


@dataclass(frozen=True, slots=True)
class StatsRow:
    """One line of `ipvsadm -L -n --stats`."""

    connections: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One line of `ipvsadm -L -c -n`; `expires` in seconds, addresses as "address:port"."""

    protocol: str
    expires: int
    state: str
    client: str
    virtual: str
    server: str


def table(text: str) -> dict[str, ServiceRow]:
    """`ipvsadm -L -n`, by "TCP address:port"."""
    found: dict[str, ServiceRow] = {}
    current: dict[str, ServerRow] | None = None
    for line in _body(text, _LIST_HEAD):
        words = line.split()
        if words[0] != "->":
            protocol, address, scheduler, *_flags = words
            current = {}
            found[f"{protocol} {address}"] = ServiceRow(scheduler, current)
            continue
        if current is None:
            raise ValueError(f"a server without a service: {line!r}")
        _arrow, address, method, *numbers = words
        weight, active, inactive = map(int, numbers)
        current[address] = ServerRow(method, weight, active, inactive)
    return found


def stats(text: str) -> dict[str, StatsRow]:
    """`ipvsadm -L -n --stats --exact`, by "TCP address:port", for a server "TCP address:port server:port"."""
    found: dict[str, StatsRow] = {}
    service = ""
    for line in _body(text, _STATS_HEAD):
        words = line.split()
        if words[0] != "->":
            service = f"{words[0]} {words[1]}"
            name = service
        else:
            name = f"{service} {words[1]}"
        connections, in_packets, out_packets, in_bytes, out_bytes = map(int, words[2:])
        found[name] = StatsRow(connections, in_packets, out_packets, in_bytes, out_bytes)
    return found


def connections(text: str) -> list[ConnectionRow]:
    """`ipvsadm -L -c -n`, in no particular order."""
    found = []
    for line in _body(text, _CONNECTIONS_HEAD):
        protocol, expires, state, client, virtual, server = line.split()
        minutes, seconds = expires.split(":")
        found.append(ConnectionRow(protocol, 60 * int(minutes) + int(seconds), state, client, virtual, server))
    return found


def _body(text: str, head: list[str]) -> list[str]:
    lines = text.splitlines()
    if lines[: len(head)] != head:
        raise ValueError(f"the listing should begin with {head}, not {lines[: len(head)]}")
    return lines[len(head) :]
