# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors: about a flow, as they arrive and as they must leave for its method; and those of the director itself."""

from __future__ import annotations

from dataclasses import dataclass

from scapy.compat import raw
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from bpvs.model import Method
from tests.packets.frames import Flow, Path, Shape, frame
from tests.packets.rig import mac

WHOLE = 10_000
BARE = Shape()
LONG = Shape(flags="PA", ttl=61, payload=bytes(range(200)))
UNREACHABLE = ICMP(type=3, code=3)
UNREACHABLE6 = ICMPv6DestUnreach(code=4)


@dataclass(frozen=True, slots=True)
class Error:
    """An ICMP error: its header, the embedded packet and how many bytes of it, from its IP header on, are embedded.

    `ttl`: of the error itself as it arrives and as it leaves.
    """

    header: Packet
    inner: Shape
    embedded: int = WHOLE
    outer: Shape = BARE
    from_router: bool = False
    ttl: tuple[int, int] = (64, 63)

    def to_client(self, flow: Flow) -> tuple[bytes, bytes]:
        """From the server's side: as it arrives, and as it must leave."""
        path = flow.path
        seen = flow.packet(self.inner, *flow.at_server)
        sent = flow.packet(self.inner, path.client, flow.port, path.virtual, path.virtual_port)
        sender = router(path, 2) if self.from_router else path.server
        arrives = frame(mac(2, 18), mac(2, 1), self.around(seen, sender, flow.at_server[0], self.ttl[0]), self.outer)
        shown = path.virtual if path.is_translated else sender
        left = self.ttl[0] if flow.is_local else self.ttl[1]
        return arrives, frame(mac(1, 1), mac(1, 2), self.around(sent, shown, path.client, left), self.outer)

    def to_server(self, flow: Flow) -> tuple[bytes, bytes]:
        """From the client's side."""
        path = flow.path
        seen = flow.packet(self.inner, path.virtual, path.virtual_port, path.client, flow.port)
        src, sport, dst, dport = flow.at_server
        sent = flow.packet(self.inner, dst, dport, src, sport)
        sender = router(path, 1) if self.from_router else path.client
        arrives = frame(mac(1, 2), mac(1, 1), self.around(seen, sender, path.virtual, self.ttl[0]), self.outer)
        shown = path.local if path.method is Method.FULLNAT else sender
        return arrives, frame(mac(2, 1), path.server_mac, self.around(sent, shown, dst, self.ttl[1]), self.outer)

    def around(self, inner: Packet, src: str, dst: str, ttl: int) -> Packet:
        """The error as a packet."""
        ip: Packet = IPv6(src=src, dst=dst, hlim=ttl) if ":" in src else IP(src=src, dst=dst, ttl=ttl, **self.outer.ip)
        if self.outer.extensions is not None:
            ip /= self.outer.extensions
        return ip / self.header / Raw(raw(inner)[: self.embedded])


def router(path: Path, link: int) -> str:
    """A router that a packet of the path meets on that link."""
    return f"fd0{link}::254" if path.is_ipv6 else f"10.{link}.0.254"


def answer(arrived: bytes, error: Packet, quote: int = 0) -> bytes:
    """The director's error about a frame that arrived, back to where it came from, around its IP and transport header.

    `quote`: bytes of those headers where they are not the plain ones.
    """
    came = Ether(arrived)
    ip = came.payload
    transport = 20 if TCP in came else 8
    inner = Raw(arrived[14 : 14 + (quote or len(IPv6() if IPv6 in came else IP()) + transport)])
    if IPv6 in came:
        packet = IPv6(src=ip.dst, dst=ip.src) / error / inner
    else:
        packet = IP(src=ip.dst, dst=ip.src, tos=0xC0, id=0) / error / inner
    return frame(came.dst, came.src, packet)
