# SPDX-License-Identifier: GPL-2.0-or-later
"""parse.h: which frames are read how far. What is not understood goes to the stack as it came, with a named reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH, ESP
from scapy.layers.l2 import ARP, GRE, LLC, Dot1Q, Dot3, Ether
from scapy.packet import Packet

from bpvs.director import Director
from bpvs.model import Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference, frame
from tests.packets.rig import Action, Hook, Rig, mac

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.101", 80, "10.2.0.12", 80)
TCP6 = Path(CLIENT6, "fd00::101", 80, "fd02::12", 80)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
UDP6 = replace(TCP6, protocol=Protocol.UDP)
PATHS = (TCP4, TCP6, UDP4, UDP6)


def received(packet: Packet) -> bytes:
    """A frame from the client's station to the director."""
    return frame(mac(1, 2), mac(1, 1), packet)


def ipv4(**fields: object) -> Packet:
    return IP(src=CLIENT, dst=TCP4.virtual, **fields)


def ipv6(**fields: object) -> Packet:
    return IPv6(src=CLIENT6, dst=TCP6.virtual, **fields)


def changed(content: bytes, offset: int, *values: int) -> bytes:
    """The frame with bytes replaced from an offset on."""
    return content[:offset] + bytes(values) + content[offset + len(values) :]


def extension(following: int) -> bytes:
    """The shortest extension header."""
    return bytes([following, 0, 1, 4, 0, 0, 0, 0])


SYN = TCP(sport=1000, dport=80)
SYN4, SYN6 = received(ipv4() / SYN), received(ipv6() / SYN)
L3, L4, L4_IPV6 = 14, 34, 54
DOFF = 12

# name, frame, verdict
NOT_READ = (
    ("ARP", received(ARP(pdst="10.1.0.1")), "PASS_NOT_IP"),
    ("IPv4 in a VLAN tag", received(Dot1Q(vlan=5) / ipv4() / SYN), "PASS_NOT_IP"),
    ("IPv6 in two VLAN tags", received(Dot1Q(vlan=5) / Dot1Q(vlan=6) / ipv6() / SYN), "PASS_NOT_IP"),
    ("802.3 with LLC", bytes(Dot3(src=mac(1, 2), dst=mac(1, 1)) / LLC() / bytes(40)), "PASS_NOT_IP"),
    ("EtherType IPv4, version 6", changed(SYN4, L3, 0x65), "PASS_MALFORMED"),
    ("EtherType IPv4, version 0", changed(SYN4, L3, 0x05), "PASS_MALFORMED"),
    ("EtherType IPv6, version 4", changed(SYN6, L3, 0x45), "PASS_MALFORMED"),
    *((f"IPv4 header of {4 * n} bytes", changed(SYN4, L3, 0x40 | n), "PASS_MALFORMED") for n in range(5)),
    ("IPv4 header longer than the frame", changed(SYN4, L3, 0x4F), "PASS_MALFORMED"),
    *((f"TCP header of {4 * n} bytes", changed(SYN4, L4 + DOFF, n << 4), "PASS_MALFORMED") for n in range(5)),
    ("TCP header of 16 bytes, IPv6", changed(SYN6, L4_IPV6 + DOFF, 0x40), "PASS_MALFORMED"),
    ("later fragment of a ping", received(ipv4(frag=100) / ICMP()), "PASS_NOT_TRANSPORT"),
    ("later fragment of a ping, IPv6", received(ipv6() / IPv6ExtHdrFragment(nh=58, offset=9)), "PASS_NOT_TRANSPORT"),
    ("fragment of an ICMP error", received(ipv4(flags="MF") / ICMP(type=3) / ipv4() / SYN), "PASS_MALFORMED"),
    ("ping of the director", received(IP(src=CLIENT, dst="10.1.0.1") / ICMP()), "PASS_NOT_TRANSPORT"),
    ("pong", received(ipv4() / ICMP(type=0)), "PASS_NOT_TRANSPORT"),
    ("redirect", received(ipv4() / ICMP(type=5) / ipv4() / SYN), "PASS_NOT_TRANSPORT"),
    ("parameter problem", received(ipv4() / ICMP(type=12) / ipv4() / SYN), "PASS_NOT_TRANSPORT"),
    (
        "ping of the director, IPv6",
        received(IPv6(src=CLIENT6, dst="fd01::1") / ICMPv6EchoRequest()),
        "PASS_NOT_TRANSPORT",
    ),
    ("ICMPv6 in IPv4", received(ipv4(proto=58) / bytes(8)), "PASS_NOT_TRANSPORT"),
    ("ICMPv4 in IPv6", received(ipv6(nh=1) / bytes(8)), "PASS_NOT_TRANSPORT"),
    ("DCCP", received(ipv4(proto=33) / bytes(16)), "PASS_NOT_TRANSPORT"),
    ("GRE", received(ipv4() / GRE() / ipv4() / SYN), "PASS_NOT_TRANSPORT"),
    ("IP in IP", received(ipv4() / ipv4() / SYN), "PASS_NOT_TRANSPORT"),
    ("ESP", received(ipv4(proto=50) / ESP(data=bytes(40))), "PASS_NOT_TRANSPORT"),
    ("AH, IPv6", received(ipv6() / AH(icv=bytes(12)) / SYN), "PASS_NOT_TRANSPORT"),
    ("no next header", received(ipv6(nh=59) / bytes(40)), "PASS_NOT_TRANSPORT"),
    ("extension headers only", received(ipv6() / IPv6ExtHdrDestOpt(nh=59) / bytes(8)), "PASS_NOT_TRANSPORT"),
    (
        "seven extension headers",
        received(ipv6(nh=60) / (extension(60) * 6 + extension(6)) / SYN),
        "PASS_NOT_TRANSPORT",
    ),
    (
        "extension header longer than the frame",
        changed(received(ipv6() / IPv6ExtHdrDestOpt() / SYN), 55, 200),
        "PASS_MALFORMED",
    ),
    (
        "transport header behind byte 512",
        received(ipv6() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(250))] * 2) / SYN),
        "PASS_MALFORMED",
    ),
    ("extension header cut off", received(ipv6(nh=60) / bytes([6, 0, 0])), "PASS_MALFORMED"),
    ("TCP header cut off behind the ports", SYN4[: L4 + 8], "PASS_MALFORMED"),
    ("UDP header cut off", received(ipv4(proto=17) / bytes(7)), "PASS_MALFORMED"),
)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("content", "verdict"), [pytest.param(*row, id=name) for name, *row in NOT_READ])
def test_left_to_the_stack(rig: Rig, hook: Hook, content: bytes, verdict: str) -> None:
    run = rig.run(hook, content)
    assert (run.action, run.verdicts) == (Action.PASS, {verdict: 1})
    assert run.frame == content


@pytest.mark.parametrize("hook", Hook)
def test_six_extension_headers_are_walked_over(rig: Rig, hook: Hook) -> None:
    one = IPv6ExtHdrDestOpt
    shape = Shape(extensions=IPv6ExtHdrHopByHop() / one() / one() / IPv6ExtHdrRouting(segleft=0) / one() / one())
    flow = Flow(TCP6, rig.port())
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))


@pytest.mark.parametrize("station", [mac(1, 77), mac(2, 1), "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"])
@pytest.mark.parametrize("path", PATHS, ids=["tcp4", "tcp6", "udp4", "udp6"])
def test_frame_for_another_station(rig: Rig, path: Path, station: str) -> None:
    """Promiscuous mode and flooding bring such frames: the kernel tells TC, XDP knows its interface's address."""
    content = bytes.fromhex(station.replace(":", "")) + Flow(path, rig.port()).request(Shape())[6:]
    for hook in Hook:
        run = rig.run(hook, content)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NOT_FOR_HOST": 1}, content)


def test_frame_of_an_established_flow_for_another_station(rig: Rig) -> None:
    """In promiscuous mode a copy comes in: it must not go out as well."""
    flow = Flow(alone(rig, TCP4), rig.port())
    rig.run(Hook.XDP, flow.request(Shape()))
    content = bytes.fromhex(mac(1, 77).replace(":", "")) + flow.request(Shape(flags="A"))[6:]
    run = rig.run(Hook.XDP, content)
    assert (run.action, run.frame) == (Action.PASS, content)


@pytest.mark.parametrize("hook", Hook)
def test_ipv4_mapped_addresses_in_an_ipv6_header(rig: Rig, hook: Hook) -> None:
    """ip6_rcv_core() drops them; their keys are those of IPv4, so the RST below would close the IPv4 connection."""
    rig.serve(TCP4.row, TCP6.row)
    flow = Flow(TCP4, rig.port())
    rig.run(hook, flow.request(Shape()))
    rig.run(hook, flow.request(Shape(flags="A")))
    for flags, port in (("S", rig.port()), ("R", flow.port)):
        packet = IPv6(src=f"::ffff:{CLIENT}", dst=f"::ffff:{TCP4.virtual}") / TCP(sport=port, dport=80, flags=flags)
        content = frame(mac(1, 2), mac(1, 1), packet)
        run = rig.run(hook, content)
        assert (run.action, run.frame) == (Action.PASS, content), flags
    states = {one.client_port: one.state for one in Director().connections()}
    assert states[flow.port] == "ESTABLISHED"


CUT = (
    ("TCP", TCP4, Shape(payload=b"payload")),
    ("UDP", UDP4, Shape(payload=b"payload")),
    ("TCP, IPv6", TCP6, Shape(payload=b"payload")),
    ("UDP, IPv6", UDP6, Shape(payload=b"payload")),
    ("TCP behind IP options", TCP4, Shape(ip={"options": b"\1" * 40})),
    ("TCP with options", TCP4, Shape(transport={"options": [("NOP", None)] * 40})),
    (
        "UDP behind extension headers",
        UDP6,
        Shape(extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))])),
    ),
)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "shape"), [pytest.param(*row, id=name) for name, *row in CUT])
def test_cut_off_at_every_byte(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    content = Flow(path, rig.port()).request(shape)
    for length in range(rig.shortest(hook, content), len(content)):
        assert rig.run_uncounted(hook, content[:length]) == (Action.PASS, content[:length])
    assert rig.run_uncounted(hook, content)[0] is Action.REDIRECT


def claims(content: bytes, length: int) -> bytes:
    """The frame with another length in its IP header; the IPv4 header's checksum is made right again."""
    head = Ether(content)
    if IPv6 in head:
        head[IPv6].plen = length - 40
    else:
        head[IP].len = length
        del head[IP].chksum
    return bytes(raw(head))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", PATHS, ids=["tcp4", "tcp6", "udp4", "udp6"])
def test_length_in_the_ip_header_decides(rig: Rig, hook: Hook, path: Path) -> None:
    """Longer than the frame or too short for the headers: malformed, as ip_rcv() and ip6_rcv_core() have it."""
    flow = Flow(path, rig.port())
    headers = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    content = flow.request(Shape(payload=b"payload"))
    whole = headers + len(b"payload")
    first = 40 if path.is_ipv6 else 0
    for length in (*range(first, headers), *range(whole + 1, whole + 9), 0xFFFF):
        broken = claims(content, length)
        run = rig.run(hook, broken)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_MALFORMED": 1}, broken), length
    for length in range(headers, whole + 1):
        assert rig.run_uncounted(hook, claims(content, length))[0] is Action.REDIRECT, length


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_survived(rig: Rig, data: st.DataObject) -> None:
    """Whatever is broken in a good frame: it is passed or dropped untouched, or forwarded, or answered."""
    path = data.draw(st.sampled_from(PATHS))
    content = bytearray(Flow(path, 1024).request(Shape(payload=bytes(16))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(12, len(content) - 1))] = data.draw(st.integers(0, 255))
    for hook in Hook:
        action, out = rig.run_uncounted(hook, bytes(content))
        assert action in (Action.REDIRECT, Action.TX) or out == bytes(content)
