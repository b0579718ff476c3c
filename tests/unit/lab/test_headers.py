# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames made by scapy, read back by their headers."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet as Layers
from scapy.packet import Raw

from bpvs.lab.headers import Packet, read_frame

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
SYN = Packet("10.9.0.2", "10.0.1.100", 63, "SYN", 40000, 80)
SYN6 = Packet("fd09::2", "fd01::100", 63, "SYN ACK", 40000, 80)
TCP4 = IP(src=SYN.source, dst=SYN.destination, ttl=63) / TCP(sport=40000, dport=80, flags="S")
TCP6 = IPv6(src=SYN6.source, dst=SYN6.destination, hlim=63) / TCP(sport=40000, dport=80, flags="SA")
OUTER4 = IP(src="10.0.1.2", dst="10.0.2.11", ttl=62)
OUTER6 = IPv6(src="fd01::2", dst="fd02::11", hlim=62)
GUE4 = UDP(sport=40001, dport=6080) / Raw(bytes((0, 4, 0, 0)))
GUE6 = UDP(sport=40001, dport=6080) / Raw(bytes((0, 41, 0, 0)))

TOLD = ("10.0.1.201", "10.0.2.11", 62, "ACK", 1024, 80, None)
TOLD4 = bytes.fromhex("9c40 0a090002")
TOLD6 = bytes.fromhex("9c40 fd090000000000000000000000000002")


def told(*options: tuple[int | str, bytes | None]) -> Layers:
    return IP(src=TOLD[0], dst=TOLD[1], ttl=62) / TCP(sport=1024, dport=80, flags="A", options=list(options))


def outer4(carries: str, inner: Packet, sport: int = 0, dport: int = 0) -> Packet:
    return Packet("10.0.1.2", "10.0.2.11", 62, carries, sport, dport, inner)


@pytest.mark.parametrize(
    ("layers", "packet"),
    [
        pytest.param(TCP4, SYN, id="tcp4"),
        pytest.param(TCP6, SYN6, id="tcp6"),
        pytest.param(
            IP(src="10.0.0.1", dst="10.0.0.2", ttl=9) / UDP(sport=5, dport=53),
            Packet("10.0.0.1", "10.0.0.2", 9, "UDP", 5, 53),
            id="udp",
        ),
        pytest.param(told((254, TOLD4)), Packet(*TOLD, "10.9.0.2:40000"), id="toa"),
        pytest.param(told(("NOP", None), (253, TOLD6)), Packet(*TOLD, "[fd09::2]:40000"), id="toa of ipv6"),
        pytest.param(told((254, TOLD6)), Packet(*TOLD, "[fd09::2]:40000"), id="toa of ipv6, the other kind"),
        pytest.param(told((254, TOLD4[1:]), (253, TOLD4)), Packet(*TOLD), id="options of other sizes"),
        pytest.param(OUTER4 / TCP4, outer4("IPIP", SYN), id="ipip"),
        pytest.param(OUTER4 / TCP6, outer4("IPv6", SYN6), id="ipv6 in ipv4"),
        pytest.param(OUTER6 / TCP4, Packet("fd01::2", "fd02::11", 62, "IPIP", inner=SYN), id="ipv4 in ipv6"),
        pytest.param(OUTER4 / GRE() / TCP4, outer4("GRE", SYN), id="gre"),
        pytest.param(OUTER4 / GRE(chksum_present=1) / TCP6, outer4("GRE", SYN6), id="gre with checksum"),
        pytest.param(OUTER4 / GUE4 / TCP4, outer4("GUE", SYN, 40001, 6080), id="gue"),
        pytest.param(OUTER4 / GUE6 / TCP6, outer4("GUE", SYN6, 40001, 6080), id="gue with ipv6"),
    ],
)
def test_headers_are_read(layers: Layers, packet: Packet) -> None:
    frame = read_frame(bytes(ETHER / layers))
    assert frame is not None
    assert (frame.source.hex(":"), frame.destination.hex(":")) == (ETHER.src, ETHER.dst)
    assert frame.packet == packet
    assert frame.packet.innermost in (packet, SYN, SYN6)


@pytest.mark.parametrize("length", [0, 13, 14, 33, 34, 53])
def test_a_frame_that_ends_within_a_header_is_nothing(length: int) -> None:
    assert read_frame(bytes(ETHER / TCP4)[:length]) is None


@pytest.mark.parametrize("options", ["fe08 9c40", "fe00 0000", "fe01 0101", "00fe 0808", "01010101 01 0101fe"])
def test_options_that_end_too_early_tell_nothing(options: str) -> None:
    content = bytes.fromhex(options)
    layers = IP() / TCP(flags="A", dataofs=5 + len(content) // 4)
    frame = read_frame(bytes(ETHER / layers) + content)
    assert frame is not None
    assert (frame.packet.carries, frame.packet.toa) == ("ACK", "")


def test_other_protocols_are_nothing() -> None:
    assert read_frame(bytes(ETHER) + bytes(28)) is None
