# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames as the tables write them: a Shape says what a packet looks like, a Flow who talks to whom.

A Flow turns one Shape into four frames: the request as it arrives and as it must leave, the reply likewise. What the
server sees follows from the method; tunnels.py adds the outer headers. scapy computes every length and checksum afresh,
so a frame that equals its expectation has the right ones.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

import scapy.layers.inet6
from scapy.compat import raw
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Packet, Raw

from bpvs.model import Address, Method, Protocol, RealServer, ServiceKey, Tunnel
from bpvs.model.server import NO_TUNNEL
from tests.packets.rig import Action, Hook, Rig, mac

CLIENT, CLIENT6 = "10.1.0.2", "fd01::2"
LOCAL_MAC = "00:00:00:00:00:00"
LINK_MTU = 1500


@dataclass(frozen=True, slots=True)
class Path:
    """A client, a virtual service and its only real server; `link` is the number of the server's network.

    `local`: the service's local address, for FullNAT. `mark`: that of a service found by it; `virtual` and its port are
    then what the packet is for. A server port of 0 is the packet's own.
    """

    client: str
    virtual: str
    virtual_port: int
    server: str
    server_port: int
    protocol: Protocol = Protocol.TCP
    link: int = 2
    method: Method = Method.NAT
    tunnel: Tunnel = NO_TUNNEL
    local: str = ""
    mark: int = 0

    @property
    def key(self) -> ServiceKey:
        if self.mark:
            return ServiceKey.marked(self.mark, Address.parse(self.virtual).family)
        return ServiceKey.at(self.protocol, Address.parse(self.virtual), self.virtual_port)

    @property
    def row(self) -> tuple[ServiceKey, RealServer]:
        """The service and its server for Rig.serve()."""
        return self.key, RealServer(Address.parse(self.server), self.server_port, self.method, tunnel=self.tunnel)

    @property
    def locals(self) -> tuple[tuple[ServiceKey, Address], ...]:
        """The service's local address for Rig.serve()."""
        return ((self.key, Address.parse(self.local)),) if self.local else ()

    @property
    def is_translated(self) -> bool:
        """Whether the server sees other addresses than the client does."""
        return self.method in (Method.NAT, Method.FULLNAT)

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.client

    @property
    def server_mac(self) -> str:
        return mac(self.link, int(self.server.replace(":", ".").rpartition(".")[2]))


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything of a packet but its addresses and ports: `ip`, `transport` are header fields as scapy names them.

    `payload`: of SCTP the chunks. `extensions`: IPv6 extension headers; `padding`: bytes behind the IP packet.
    """

    flags: str = "S"
    ttl: int = 64
    payload: bytes = b""
    ip: Mapping[str, Any] = field(default_factory=dict)
    transport: Mapping[str, Any] = field(default_factory=dict)
    extensions: Any = None
    padding: bytes = b""


@dataclass(frozen=True, slots=True)
class Flow:
    """One client's port on a path; `is_local`: the client is a socket of the director.

    Of FullNAT `local_port`, and `is_told`: whether the server knows the client's address already (TOA).
    """

    path: Path
    port: int
    is_local: bool = False
    local_port: int = 0
    is_told: bool = True

    @property
    def at_server(self) -> tuple[str, int, str, int]:
        """Source and destination of a request as the server sees it."""
        path = self.path
        if not path.is_translated:
            return path.client, self.port, path.virtual, path.virtual_port
        return (
            path.local or path.client,
            self.local_port or self.port,
            path.server,
            path.server_port or path.virtual_port,
        )

    def request(self, shape: Shape) -> bytes:
        """From the client, as the director receives it."""
        path = self.path
        macs = (LOCAL_MAC, LOCAL_MAC) if self.is_local else (mac(1, 2), mac(1, 1))
        return frame(*macs, self.packet(shape, path.client, self.port, path.virtual, path.virtual_port), shape)

    def to_server(self, shape: Shape) -> bytes:
        """The request as it must leave."""
        if not self.is_told and not set("SR") & set(shape.flags):
            shape = with_option(shape, self.toa)
        packet = self.packet(aged(shape), *self.at_server)
        return frame(mac(self.path.link, 1), self.path.server_mac, packet, shape)

    def reply(self, shape: Shape) -> bytes:
        """From the server, as the director receives it."""
        src, sport, dst, dport = self.at_server
        packet = self.packet(shape, dst, dport, src, sport)
        return frame(self.path.server_mac, mac(self.path.link, 1), packet, shape)

    def to_client(self, shape: Shape) -> bytes:
        """The reply as it must leave."""
        path = self.path
        left = shape if self.is_local else aged(shape)  # on the way to another host only
        if not self.is_told and "S" in shape.flags:
            left = with_lower_mss(left, len(self.toa[1]) + 2, LINK_MTU - (60 if path.is_ipv6 else 40))
        packet = self.packet(left, path.virtual, path.virtual_port, path.client, self.port)
        macs = (LOCAL_MAC, LOCAL_MAC) if self.is_local else (mac(1, 1), mac(1, 2))
        return frame(*macs, packet, shape)

    @property
    def toa(self) -> tuple[int, bytes]:
        """Kind and content of the TCP option that tells the client: its port and address."""
        return (253 if self.path.is_ipv6 else 254), self.port.to_bytes(2, "big") + ip_address(self.path.client).packed

    def packet(self, shape: Shape, src: str, sport: int, dst: str, dport: int) -> Packet:
        """The IP packet of that shape between any two ends."""
        if self.path.is_ipv6:
            head: Packet = IPv6(src=src, dst=dst, hlim=shape.ttl, **shape.ip)
            if shape.extensions is not None:
                head /= shape.extensions
        else:
            head = IP(src=src, dst=dst, ttl=shape.ttl, **shape.ip)
        if self.path.protocol is Protocol.UDP:
            head /= UDP(sport=sport, dport=dport, **shape.transport)
        elif self.path.protocol is Protocol.SCTP:
            head /= SCTP(sport=sport, dport=dport, **shape.transport)
        else:
            head /= TCP(sport=sport, dport=dport, flags=shape.flags, **shape.transport)
        return head / Raw(shape.payload) if shape.payload else head


def with_option(shape: Shape, option: tuple[int, bytes]) -> Shape:
    """The segment with a TCP option before its own."""
    options = [option, *shape.transport.get("options", ())]
    return replace(shape, transport={**shape.transport, "options": options})


def with_lower_mss(shape: Shape, less: int, most: int = 0xFFFF) -> Shape:
    """The segment with less in the maximum segment size that it offers, if it does; or with less than `most`."""
    options = [
        (name, min(value, most) - less if name == "MSS" else value)
        for name, value in shape.transport.get("options", ())
    ]
    return replace(shape, transport={**shape.transport, "options": options})


def alone(rig: Rig, path: Path) -> Path:
    """The path with a service of its own, the only one: no other connection that ends changes its counts meanwhile."""
    own = replace(path, virtual_port=rig.port())
    rig.serve(own.row, locals_=own.locals)
    return own


def localised(flow: Flow, left: bytes) -> Flow:
    """The flow of FullNAT with the local address and port that its first packet left from; TCP's server is not told."""
    packet = Ether(left).payload
    transport = packet[UDP] if UDP in packet else packet[TCP]
    path = replace(flow.path, local=packet.src)
    return replace(flow, path=path, local_port=transport.sport, is_told=UDP in packet)


def opened(rig: Rig, hook: Hook, path: Path) -> Flow:
    """A flow whose first packet has passed; of FullNAT with its local end."""
    flow = Flow(path, rig.port())
    action, left = rig.run_uncounted(hook, flow.request(Shape()))
    assert action is Action.REDIRECT
    return localised(flow, left) if path.method is Method.FULLNAT else flow


def told(rig: Rig, hook: Hook, flow: Flow) -> Flow:
    """The flow after an ACK of the server for the client's first data: it knows the client."""
    ack = {"ack": 1} if flow.path.protocol is Protocol.TCP else {}
    rig.run_uncounted(hook, flow.reply(Shape(flags="A", transport=ack)), "back")
    return replace(flow, is_told=True)


def frame(src: str, dst: str, packet: Packet, shape: Shape = Shape()) -> bytes:
    """The packet's bytes in an Ethernet frame."""
    return bytes(raw(Ether(src=src, dst=dst) / packet)) + shape.padding


def difference(got: bytes, expected: bytes) -> str:
    """The layers of two frames side by side where they differ, "" for equal bytes."""
    if got == expected:
        return ""
    ours, theirs = (Ether(one).show(dump=True).splitlines() for one in (got, expected))
    lines = difflib.unified_diff(theirs, ours, "expected", "got", n=3, lineterm="")
    return "\n".join(["", *lines, f"expected {expected.hex()}", f"got      {got.hex()}"])


def rebuilt(content: bytes) -> bytes:
    """The frame with its checksums computed anew from the bytes that they cover."""
    parsed = Ether(content)
    layer = parsed
    while layer:
        for name in ("chksum", "cksum"):
            if name in layer.fields and not (isinstance(layer, UDP) and layer.chksum == 0):
                delattr(layer, name)
        layer = layer.payload
    return bytes(raw(parsed))


def aged(shape: Shape) -> Shape:
    """The packet behind a router."""
    return replace(shape, ttl=shape.ttl - 1)


# Importing it registers the IPv6 layers that Ether() dissects to.
assert scapy.layers.inet6
