# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of every shape that is forwarded, for the tables of the forwarding methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from scapy.layers.inet import IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN

from bpvs.model import Protocol
from tests.packets.frames import Path, Shape


def _is_any(_: Path) -> bool:
    return True


def _is_ipv4(path: Path) -> bool:
    return not path.is_ipv6


def _is_ipv6(path: Path) -> bool:
    return path.is_ipv6


def _is_tcp(path: Path) -> bool:
    return path.protocol is Protocol.TCP


def _is_udp(path: Path) -> bool:
    return path.protocol is Protocol.UDP


PAD = PadN(optdata=bytes(4))
OPTIONS = {"options": [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)]}
FULL = {"options": [("Experiment", (0xF989, bytes(34)))], "urgptr": 9, "window": 1, "seq": 2**32 - 1, "ack": 7}

# name, the paths that can carry it, the packet
SHAPES = (
    ("bare", _is_any, Shape()),
    ("payload", _is_any, Shape(payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("odd payload", _is_any, Shape(payload=b"odd")),
    ("payload of ones", _is_any, Shape(payload=b"\xff" * 64)),
    ("full size", _is_any, Shape(payload=bytes(range(250)) * 5)),
    ("padding of Ethernet", _is_any, Shape(payload=b"xy", padding=b"\0\1\2\3\4\5")),
    ("last but one hop", _is_any, Shape(ttl=2)),
    ("greatest TTL", _is_any, Shape(ttl=255)),
    ("TCP options of a SYN", _is_tcp, Shape(transport=OPTIONS)),
    ("TCP header of 60 bytes", _is_tcp, Shape(transport=FULL, payload=b"urgent data")),
    ("every flag but RST and FIN", _is_tcp, Shape(flags="SAUECP")),
    ("UDP without checksum", _is_udp, Shape(transport={"chksum": 0}, payload=b"no checksum")),
    ("TOS, ID and DF", _is_ipv4, Shape(ip={"tos": 0xB9, "id": 0xFFFF, "flags": "DF"})),
    ("one IP option", _is_ipv4, Shape(ip={"options": [IPOption_NOP()]}, payload=b"options")),
    (
        "IP header of 60 bytes",
        _is_ipv4,
        Shape(ip={"options": [IPOption_RR(length=39, routers=["0.0.0.0"] * 9)]}, payload=b"x"),
    ),
    ("class and flow label", _is_ipv6, Shape(ip={"tc": 0xB9, "fl": 0xFFFFF})),
    ("hop-by-hop options", _is_ipv6, Shape(extensions=IPv6ExtHdrHopByHop(options=[PAD]))),
    (
        "destination options",
        _is_ipv6,
        Shape(extensions=IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(60))]), payload=b"far"),
    ),
    ("routing header, used up", _is_ipv6, Shape(extensions=IPv6ExtHdrRouting(segleft=0, addresses=["fd0f::1"]))),
    (
        "three extension headers",
        _is_ipv6,
        Shape(extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0), payload=b"3"),
    ),
    (
        "five extension headers",
        _is_ipv6,
        Shape(
            extensions=IPv6ExtHdrHopByHop()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
        ),
    ),
)


def rows_for(paths: Mapping[str, Path]) -> list[Any]:
    """Parameters (path, shape): each shape on each of the named paths that can carry it."""
    return [
        pytest.param(path, shape, id=f"{name}, {which}")
        for name, fits, shape in SHAPES
        for which, path in paths.items()
        if fits(path)
    ]
