# SPDX-License-Identifier: GPL-2.0-or-later
"""Outer headers as IPVS writes them: what a frame that came in must leave as, for a server of method TUNNEL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from bpvs.model import Method, Protocol, Tunnel, TunnelChecksum, TunnelType
from tests.packets.frames import CLIENT, CLIENT6, Path, frame
from tests.packets.rig import mac

GUE_SOURCES = range(32768, 49152)
GUE_PORT = 6080
ECN_CE, ECN_ECT0 = 3, 2

PLAIN = {"ipip": Tunnel(), "gue": Tunnel(TunnelType.GUE, GUE_PORT), "gre": Tunnel(TunnelType.GRE)}
SUMMED = {
    "gue csum": Tunnel(TunnelType.GUE, GUE_PORT, TunnelChecksum.FULL),
    "gue remcsum": Tunnel(TunnelType.GUE, GUE_PORT, TunnelChecksum.REMOTE),
    "gre csum": Tunnel(TunnelType.GRE, checksum=TunnelChecksum.FULL),
}
OVERHEAD = {"ipip": 20, "gue": 32, "gre": 24, "gue csum": 32, "gue remcsum": 32, "gre csum": 28}  # in IPv4


def paths_of(
    tunnels: dict[str, Tunnel],
    first: int,
    server: int = 11,
    link: int = 2,
    protocols: Sequence[Protocol] = (Protocol.TCP, Protocol.UDP),
) -> dict[str, Path]:
    """Each tunnel with each protocol and all four pairs of families; a service on a virtual port of its own each.

    `first`: last part of the services' addresses; `server`, `link`: the real server and its network.
    """
    found = {}
    cases = product(tunnels.items(), (False, True), (False, True), protocols)
    for number, ((name, tunnel), inside, outside, protocol) in enumerate(cases):
        client, virtual = (CLIENT6, f"fd00::{first}") if inside else (CLIENT, f"10.0.0.{first}")
        address = f"fd0{link}::{server}" if outside else f"10.{link}.0.{server}"
        path = Path(client, virtual, 100 + number, address, 100 + number, protocol, link, Method.TUNNEL, tunnel)
        found[f"{protocol.name.lower()}{6 if inside else 4} in {name}, IPv{6 if outside else 4}"] = path
    return found


def overhead_of(path: Path) -> int:
    """Bytes of the outer headers."""
    (name,) = (name for name, tunnel in (PLAIN | SUMMED).items() if tunnel == path.tunnel)
    return OVERHEAD[name] + (20 if ":" in path.server else 0)


@dataclass(frozen=True, slots=True)
class Outer:
    """What is the sender's to choose of the outer headers, as a frame that left has it."""

    source: str
    ident: int = 0
    port: int = 0

    @classmethod
    def of(cls, left: bytes) -> Outer:
        ip = Ether(left).payload
        udp = ip.payload if isinstance(ip.payload, UDP) else None
        return cls(ip.src, ip.id if isinstance(ip, IP) else 0, udp.sport if udp else 0)


def in_tunnel(
    path: Path, arrived: bytes, left: bytes, source: str = "", is_summed: bool = True, is_whole: bool = True
) -> bytes:
    """The frame that must leave for one that arrived.

    From what left, only the ID of a packet that may be fragmented and the source port of GUE are taken. `is_summed`:
    whether a tunnel with a checksum has one for this packet; `is_whole`: whether routers must not cut it.
    """
    outside = ":" in path.server
    chosen = replace(Outer.of(left), source=source or _director(path))
    length = _length(arrived)
    inner = _aged(arrived[14 : 14 + length])
    ip = Ether(arrived).payload
    tos = ip.tc if isinstance(ip, IPv6) else ip.tos
    if tos & 3 == ECN_CE:
        tos = tos & ~3 | ECN_ECT0
    ttl = inner[7] if isinstance(ip, IPv6) else inner[8]
    if outside:
        outer: Packet = IPv6(src=chosen.source, dst=path.server, tc=tos, fl=0, hlim=ttl)
    else:
        ident, flags = (0, "DF") if is_whole else (chosen.ident, 0)
        outer = IP(src=chosen.source, dst=path.server, tos=tos, ttl=ttl, id=ident, flags=flags)
    packet = _begun(path, outer, chosen.port, isinstance(ip, IPv6), is_summed) / Raw(inner)
    return frame(mac(path.link, 1), path.server_mac, packet) + arrived[14 + length :]


def _director(path: Path) -> str:
    """Its address on the way to the server."""
    return f"fd0{path.link}::1" if ":" in path.server else f"10.{path.link}.0.1"


def _begun(path: Path, outer: Packet, port: int, is_ipv6: bool, is_summed: bool) -> Packet:
    """The headers up to the inner packet."""
    number = 41 if is_ipv6 else 4
    has_sum = is_summed and path.tunnel.checksum is not TunnelChecksum.NONE
    if path.tunnel.type is TunnelType.GUE:
        udp = UDP(sport=port, dport=path.tunnel.port, chksum=None if has_sum else 0)
        return outer / udp / Raw(bytes((0, number, 0, 0)))
    if path.tunnel.type is TunnelType.GRE:
        return outer / GRE(proto=0x86DD if is_ipv6 else 0x0800, chksum_present=int(has_sum))
    outer.setfieldval("nh" if isinstance(outer, IPv6) else "proto", number)
    return outer


def _length(arrived: bytes) -> int:
    """Bytes of the IP packet, without the padding of Ethernet."""
    ip = arrived[14:]
    return int.from_bytes(ip[4:6], "big") + 40 if ip[0] >> 4 == 6 else int.from_bytes(ip[2:4], "big")


def _aged(packet: bytes) -> bytes:
    aged = bytearray(packet)
    if packet[0] >> 4 == 6:
        aged[7] -= 1
        return bytes(aged)
    aged[8] -= 1
    aged[10:12] = bytes(2)
    header = (packet[0] & 15) * 4
    aged[10:12] = int(checksum(bytes(aged[:header]))).to_bytes(2, "big")
    return bytes(aged)
