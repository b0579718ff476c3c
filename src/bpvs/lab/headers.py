# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of a captured frame that a demonstration shows: Ethernet, IP, what is in tunnels, ports, TOA."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

_IPV4, _IPV6 = 0x0800, 0x86DD
_IPIP, _TCP, _UDP, _IP6, _GRE = 4, 6, 17, 41, 47
GUE_PORT = 6080
_GUE_BYTES = 4
_ENCAPSULATIONS = {_IPIP: "IPIP", _IP6: "IPv6", _GRE: "GRE", _UDP: "GUE"}
_KNOWN = (_TCP, *_ENCAPSULATIONS)
_TOA = ((254, 8), (254, 20), (253, 20))  # kinds and sizes
_FLAGS = ((0x02, "SYN"), (0x01, "FIN"), (0x04, "RST"), (0x10, "ACK"))


@dataclass(frozen=True, slots=True)
class Packet:
    """One IP header and what follows: ports and TCP flags ("SYN ACK"), or a tunnel's name and the inner packet.

    `toa`: the client that a segment's option tells, as address:port.
    """

    source: str
    destination: str
    ttl: int
    carries: str = ""
    sport: int = 0
    dport: int = 0
    inner: Packet | None = None
    toa: str = ""

    @property
    def innermost(self) -> Packet:
        """The packet itself, or that at the end of its tunnels."""
        return self.inner.innermost if self.inner else self


@dataclass(frozen=True, slots=True)
class Frame:
    """MAC addresses and the packet of an Ethernet frame."""

    source: bytes
    destination: bytes
    packet: Packet


def read_frame(data: bytes) -> Frame | None:
    """The headers of a frame; None for what is not IP, or ends within a header."""
    if len(data) < 14:
        return None
    packet = _read_ip(int.from_bytes(data[12:14], "big"), data[14:])
    return Frame(data[6:12], data[:6], packet) if packet else None


def _read_ip(kind: int, data: bytes) -> Packet | None:
    if kind == _IPV4 and len(data) >= 20:
        source, destination = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
        return _read_payload(source, destination, data[8], data[9], data[4 * (data[0] & 15) :])
    if kind == _IPV6 and len(data) >= 40:
        source, destination = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (8, 24))
        return _read_payload(source, destination, data[7], data[6], data[40:])
    return None


def _read_payload(source: str, destination: str, ttl: int, protocol: int, data: bytes) -> Packet | None:
    if protocol == _TCP and len(data) >= 20:
        sport, dport = struct.unpack_from("!HH", data)
        flags = " ".join(name for bit, name in _FLAGS if data[13] & bit)
        return Packet(source, destination, ttl, flags, sport, dport, toa=_toa(data[20 : 4 * (data[12] >> 4)]))
    if protocol == _UDP and len(data) >= 8:
        sport, dport = struct.unpack_from("!HH", data)
        if dport != GUE_PORT or len(data) < 8 + _GUE_BYTES:
            return Packet(source, destination, ttl, "UDP", sport, dport)
        inner = _read_ip(_IPV4 if data[9] == _IPIP else _IPV6, data[8 + _GUE_BYTES :])
        return Packet(source, destination, ttl, _ENCAPSULATIONS[protocol], sport, dport, inner) if inner else None
    if protocol in (_IPIP, _IP6):
        inner = _read_ip(_IPV4 if protocol == _IPIP else _IPV6, data)
        return Packet(source, destination, ttl, _ENCAPSULATIONS[protocol], inner=inner) if inner else None
    if protocol == _GRE and len(data) >= 8:
        inner = _read_ip(int.from_bytes(data[2:4], "big"), data[8 if data[0] & 0x80 else 4 :])
        return Packet(source, destination, ttl, _ENCAPSULATIONS[protocol], inner=inner) if inner else None
    return None if protocol in _KNOWN else Packet(source, destination, ttl, f"protocol {protocol}")


def _toa(options: bytes) -> str:
    """The client in an option of kind 254 or 253, 8 bytes for IPv4, 20 for IPv6; "" without a whole one."""
    at = 0
    while at + 1 < len(options) and options[at] != 0:
        size = 1 if options[at] == 1 else options[at + 1]
        value = options[at + 4 : at + size]
        if (options[at], size) in _TOA and len(value) == size - 4:
            port = int.from_bytes(options[at + 2 : at + 4], "big")
            address = ipaddress.ip_address(value)
            return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        if not size:
            break
        at += size
    return ""
