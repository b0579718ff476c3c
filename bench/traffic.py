# SPDX-License-Identifier: GPL-2.0-or-later
"""The traffic that is measured: established flows in both directions, and new connections."""

from __future__ import annotations

from _socket import ntohs
from collections.abc import Iterator
from dataclasses import dataclass

from bench.frames import ACK, SYN, Segment, frame, parse, unwrap
from bench.live import Sender, Traffic
from bench.rig import DIRECTOR_MAC, SENDER_MAC, SERVERS, Rig, server_address
from bench.ways import COOKIE, LOCALS, NEW, TO_CLIENT, TO_SERVER, VIRTUAL, Way
from bpvs.director.rows import address_of
from bpvs.kernel import _abi
from bpvs.model import Address, Family, Method

FLOWS = 1024
ESTABLISHED_CLIENT = {Family.IPV4: Address.parse("10.129.0.0"), Family.IPV6: Address.parse("fd79::")}
NEW_CLIENT = {Family.IPV4: Address.parse("10.128.0.0"), Family.IPV6: Address.parse("fd78::")}


@dataclass(frozen=True, slots=True)
class Load:
    """The traffic of one way in one family, by kind."""

    way: Way
    family: Family
    kinds: dict[str, Traffic]


def load(rig: Rig, sender: Sender, way: Way, family: Family) -> Load:
    """Everything that is to be measured along one way; its flows are established."""
    if way.synproxy:
        return Load(way, family, {COOKIE: new_connections(way, family, 0)})
    to_server, to_client = _establish(rig, sender, way, family)
    kinds = {TO_SERVER: to_server, TO_CLIENT: to_client, NEW: new_connections(way, family, 0)}
    return Load(way, family, {kind: kinds[kind] for kind in way.kinds})


def _establish(rig: Rig, sender: Sender, way: Way, family: Family) -> tuple[Traffic, Traffic]:
    """Open the flows through the director; the traffic on them, there and back.

    Servers answer once, where the director sees it: until then FullNAT tells the client's address with each packet.
    """
    target = VIRTUAL[family], way.port
    clients = [(ESTABLISHED_CLIENT[family], 1024 + number) for number in range(FLOWS)]
    opening, to_server = (
        Traffic(f"{way.name} {name}", family, tuple(_frame(Segment(client, target, flags)) for client in clients))
        for name, flags in (("opening", SYN), (TO_SERVER, ACK))
    )
    _send_all(sender, opening)
    _send_all(sender, to_server)
    to_client = Traffic(f"{way.name} {TO_CLIENT}", family, tuple(map(_frame, _replies(rig, way, family))))
    if TO_CLIENT in way.kinds:
        _send_all(sender, to_client)
    return to_server, to_client


def _send_all(sender: Sender, traffic: Traffic) -> None:
    burst = sender.send(traffic, "test0", FLOWS)
    if burst.counted != FLOWS:
        raise RuntimeError(f"of {FLOWS} packets of new flows ({traffic.name}) the director forwarded {burst.counted}")


def _replies(rig: Rig, way: Way, family: Family) -> Iterator[Segment]:
    """What the servers answer on the flows: to the client as they know it."""
    fields = ("state", "virtual_port", "local_port", "server_port", "client", "local", "server")
    found = 0
    for row in rig.instance.conns.rows(0, rig.instance.runtime.load(0, "conn_high"), *fields):
        state, virtual_port, local_port, server_port, client, local, server = row
        if (client, ntohs(virtual_port)) != (ESTABLISHED_CLIENT[family].mapped, way.port):
            continue
        if state & _abi.CONN_STATE != _abi.STATE_ESTABLISHED:
            raise RuntimeError(f"a flow of {way.name} is not established: state {state:#x}")
        found += 1
        ends = (address_of(server), ntohs(server_port)), (address_of(local), ntohs(local_port))
        yield Segment(*ends, ACK)
    if found != FLOWS:
        raise RuntimeError(f"the director holds {found} established flows of {way.name}, {FLOWS} were opened")


def new_connections(way: Way, family: Family, block: int, flags: int = SYN) -> Traffic:
    """Packets of ever new clients; each block, 0 to 2^16 - 1, is another range of their addresses."""
    base = NEW_CLIENT[family].packed
    client = Address(family, base[:-4] + (int.from_bytes(base[-4:], "big") + (block << 16)).to_bytes(4, "big"))
    first = _frame(Segment((client, 0), (VIRTUAL[family], way.port), flags))
    return Traffic(f"{way.name} {NEW} {family.name} {block} {flags}", family, (first,), new_flows=True)


def check_sample(content: bytes, kind: str, load: Load) -> str:
    """What is wrong with a frame that came out of the director; "" if nothing is."""
    try:
        segment = parse(unwrap(content))
    except ValueError as error:
        return str(error)
    if _is_right(segment, kind, load):
        return ""
    (source, port), (target, target_port) = segment.source, segment.target
    return f"the director let {source}:{port} > {target}:{target_port} out"


def _is_right(segment: Segment, kind: str, load: Load) -> bool:
    way, virtual = load.way, (VIRTUAL[load.family], load.way.port)
    if kind == COOKIE:
        return segment.source == virtual and segment.flags == SYN | ACK
    if kind == TO_CLIENT:
        return segment.source == virtual and segment.target[0] == ESTABLISHED_CLIENT[load.family]
    if way.method in (Method.ROUTE, Method.TUNNEL):
        return segment.target == virtual
    servers = {(server_address(load.family, number), way.port) for number in range(SERVERS)}
    return segment.target in servers and (way.method is not Method.FULLNAT or segment.source[0] in LOCALS)


def _frame(segment: Segment) -> bytes:
    return frame(segment, SENDER_MAC, DIRECTOR_MAC)
