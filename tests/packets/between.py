# SPDX-License-Identifier: GPL-2.0-or-later
"""An IPv6 client of an IPv4 server by FullNAT: the paths, and the packets of one side as the other must get them."""

from __future__ import annotations

from dataclasses import replace

from bpvs.model import Method, Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape
from tests.packets.rig import Hook, Rig

TCP64 = Path(CLIENT6, "fd00::193", 80, "10.2.0.13", 8080, method=Method.FULLNAT, local="10.2.0.203")
PATHS = {"tcp": TCP64, "udp": replace(TCP64, protocol=Protocol.UDP)}
LINK_MTU = 1500
BETWEEN = 20  # bytes by which an IPv6 header is longer
ACK = Shape(flags="A")


def behind(flow: Flow) -> Flow:
    """The flow between director and server: the same ends in IPv4."""
    return replace(flow, path=replace(flow.path, client=CLIENT), is_told=True)


def in_ipv4(shape: Shape) -> Shape:
    """The client's packet as the server must get it."""
    return replace(shape, ip={"tos": shape.ip.get("tc", 0), "flags": "DF", "id": 0})


def in_ipv6(shape: Shape) -> Shape:
    """The server's packet as the client must get it."""
    return replace(shape, ip={"tc": shape.ip.get("tos", 0)})


def answer_to(flow: Flow) -> Shape:
    """By TCP an ACK for the client's first data."""
    return replace(ACK, transport={"ack": 1} if flow.path.protocol is Protocol.TCP else {})


def answered(rig: Rig, hook: Hook, flow: Flow) -> Flow:
    """The flow after a packet of its server's."""
    rig.run_uncounted(hook, behind(flow).reply(answer_to(flow)), "back")
    return replace(flow, is_told=True)
