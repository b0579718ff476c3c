# SPDX-License-Identifier: GPL-2.0-or-later
"""The traffic that is measured: established flows in both directions, and new connections."""

from __future__ import annotations

from dataclasses import dataclass

from bench.frames import ACK, SYN, Segment, frame, parse
from bench.live import Sender, Traffic
from bench.rig import DIRECTOR_MAC, PORT, SENDER_MAC, SERVERS, VIRTUAL, Rig, server_address
from bpvs.model import Address, Family

FLOWS = 1024
ESTABLISHED_CLIENT = {Family.IPV4: Address.parse("10.129.0.0"), Family.IPV6: Address.parse("fd79::")}
NEW_CLIENT = {Family.IPV4: Address.parse("10.128.0.0"), Family.IPV6: Address.parse("fd78::")}

TO_SERVER = "client to server"
TO_CLIENT = "server to client"
NEW = "new connection"


@dataclass(frozen=True, slots=True)
class Load:
    """The three kinds of traffic of one family."""

    to_server: Traffic
    to_client: Traffic
    new: Traffic


def establish(rig: Rig, sender: Sender, family: Family) -> Load:
    """Open the flows through the director; the traffic on them."""
    target = VIRTUAL[family], PORT
    clients = [(ESTABLISHED_CLIENT[family], 1024 + number) for number in range(FLOWS)]
    opening, to_server = (
        Traffic(name, family, tuple(_frame(Segment(client, target, flags)) for client in clients))
        for name, flags in (("opening", SYN), (TO_SERVER, ACK))
    )
    for traffic in (opening, to_server):
        burst = sender.send(traffic, "test0", FLOWS)
        if burst.counted != FLOWS:
            raise RuntimeError(
                f"of {FLOWS} packets of new flows ({traffic.name}) the director forwarded {burst.counted}"
            )
    with rig.inside.inside():
        found = [flow for flow in rig.director.connections() if flow.client == ESTABLISHED_CLIENT[family]]
    if len(found) != FLOWS or any(flow.state != "ESTABLISHED" for flow in found):
        raise RuntimeError(f"the director holds {len(found)} established flows, {FLOWS} were opened")
    replies = tuple(
        _frame(Segment((flow.server, flow.server_port), (flow.client, flow.client_port), ACK)) for flow in found
    )
    return Load(to_server, Traffic(TO_CLIENT, family, replies), new_connections(family, 0))


def new_connections(family: Family, block: int, flags: int = SYN) -> Traffic:
    """Packets of ever new clients; each block, 0 to 2^16 - 1, is another range of their addresses."""
    base = NEW_CLIENT[family].packed
    client = Address(family, base[:-4] + (int.from_bytes(base[-4:], "big") + (block << 16)).to_bytes(4, "big"))
    first = _frame(Segment((client, 0), (VIRTUAL[family], PORT), flags))
    return Traffic(f"{NEW} {family.name} {block} {flags}", family, (first,), new_flows=True)


def check_sample(content: bytes, kind: str, family: Family) -> str:
    """What is wrong with a frame that came out of the director; "" if nothing is."""
    try:
        segment = parse(content)
    except ValueError as error:
        return str(error)
    if kind == TO_CLIENT:
        right = segment.source == (VIRTUAL[family], PORT) and segment.target[0] == ESTABLISHED_CLIENT[family]
    else:
        servers = {(server_address(family, number), PORT) for number in range(SERVERS)}
        right = segment.target in servers
    if right:
        return ""
    (source, port), (target, target_port) = segment.source, segment.target
    return f"the director let {source}:{port} > {target}:{target_port} out"


def _frame(segment: Segment) -> bytes:
    return frame(segment, SENDER_MAC, DIRECTOR_MAC)
