# SPDX-License-Identifier: GPL-2.0-or-later
"""realserver/outer.h, realserver/decap.h, realserver/checksum.h: tunnels of every kind ended byte for byte.

And what is not let in, of which realserver/arp.h is a part.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from scapy.compat import raw
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, PadN
from scapy.layers.l2 import ARP, GRE, Ether
from scapy.packet import Packet, Raw

from tests.packets.agent_rig import (
    CLIENT,
    CLIENT6,
    DIRECTOR,
    DIRECTOR6,
    DIRECTOR_STATION,
    DROPPED,
    GUE_PORT,
    PASSED,
    REDIRECTED,
    ROUTER_STATION,
    SERVER,
    SERVER6,
    STATION,
    VIP,
    VIP6,
    AgentRig,
)
from tests.packets.frames import difference

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
IPPROTO = {"ipv4": 4, "ipv6": 41}
ETHERTYPE = {"ipv4": 0x0800, "ipv6": 0x86DD}
# Older kernels see an inner packet of the other family when its frame comes in once more.
TELLS_THE_FAMILY = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 3)
NOT_ECT, ECT1, ECT0, CE = range(4)


@pytest.fixture(scope="module")
def rig() -> Iterator[AgentRig]:
    if os.geteuid() != 0:
        pytest.skip("needs root for BPF and network namespaces: run it with sudo")
    made = AgentRig()
    yield made
    made.close()


def inner(family: str, ecn: int = NOT_ECT, payload: bytes = b"GET /", dst: str = "", transport: str = "tcp") -> Packet:
    """A client's packet to the VIP."""
    layer = TCP(sport=40000, dport=80, flags="PA") if transport == "tcp" else UDP(sport=40000, dport=53)
    if family == "ipv4":
        return IP(src=CLIENT, dst=dst or VIP, ttl=63, tos=0x20 | ecn) / layer / Raw(payload)
    return IPv6(src=CLIENT6, dst=dst or VIP6, hlim=63, tc=0x20 | ecn) / layer / Raw(payload)


def outer(family: str, protocol: int, body: bytes, ecn: int = NOT_ECT, **fields: object) -> Packet:
    """The header that a director puts in front."""
    if family == "ipv4":
        return IP(**{"src": DIRECTOR, "dst": SERVER, "proto": protocol, "tos": ecn} | fields) / Raw(body)
    return IPv6(**{"src": DIRECTOR6, "dst": SERVER6, "nh": protocol, "tc": ecn} | fields) / Raw(body)


def framed(packet: Packet, dst: str = STATION) -> bytes:
    return bytes(raw(Ether(src=DIRECTOR_STATION, dst=dst) / packet))


def words(data: bytes) -> int:
    """The folded ones' complement sum."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data + bytes(len(data) % 2))) if len(data) % 2 == 0 else 0
    if len(data) % 2:
        return words(data + b"\0")
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(family: str, protocol: int, length: int, src: str = "", dst: str = "") -> int:
    """The sum of the pseudo header between director and server, or other ends."""
    if family == "ipv4":
        ends = raw(IP(src=src or DIRECTOR, dst=dst or SERVER))[12:20]
    else:
        ends = raw(IPv6(src=src or DIRECTOR6, dst=dst or SERVER6))[8:40]
    return words(bytes(ends) + struct.pack("!HH", protocol, length))


@dataclass(frozen=True, slots=True)
class Wrap:
    """A kind of tunnel: `body` is what follows the outer IP header; `counter` counts it."""

    counter: str
    protocol: Callable[[str], int]
    body: Callable[[str, str, bytes], bytes]


def udp(outer_family: str, content: bytes, *, summed: bool, port: int = GUE_PORT) -> bytes:
    length = 8 + len(content)
    head = struct.pack("!HHHH", 33000, port, length, 0)
    if not summed:
        return head + content
    total = pseudo(outer_family, 17, length) + words(head + content)
    check = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return head[:6] + struct.pack("!H", check or 0xFFFF) + content


def gue(family: str, packet: bytes, options: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!BBH", len(options) // 4, IPPROTO[family], flags) + options + packet


def transport_offset(family: str) -> int:
    return 20 if family == "ipv4" else 40


def unfinished(family: str, packet: bytes) -> bytes:
    """A TCP packet whose checksum is still that of the pseudo header."""
    ends = {"ipv4": (CLIENT, VIP), "ipv6": (CLIENT6, VIP6)}[family]
    start = transport_offset(family)
    at = start + 16
    return packet[:at] + struct.pack("!H", pseudo(family, 6, len(packet) - start, *ends)) + packet[at + 2 :]


def remote_checksum(outer_family: str, family: str, packet: bytes) -> bytes:
    start = transport_offset(family)
    options = struct.pack("!IHH", 1 << 31, start, start + 16)
    return udp(outer_family, gue(family, unfinished(family, packet), options, flags=1), summed=True)


def gre(family: str, packet: bytes, *, summed: bool) -> bytes:
    return bytes(raw(GRE(proto=ETHERTYPE[family], chksum_present=int(summed)) / Raw(packet)))


WRAPS = {
    "ipip": Wrap("ended_ipip", lambda family: IPPROTO[family], lambda _outer, _family, packet: packet),
    "gue": Wrap("ended_gue", lambda _: 17, lambda out, family, packet: udp(out, gue(family, packet), summed=False)),
    "gue-csum": Wrap("ended_gue", lambda _: 17, lambda out, family, packet: udp(out, gue(family, packet), summed=True)),
    "gue-remcsum": Wrap("ended_gue", lambda _: 17, remote_checksum),
    "gue-option": Wrap(  # a private word without a bit, and padding
        "ended_gue", lambda _: 17, lambda out, family, packet: udp(out, gue(family, packet, bytes(12), 1), summed=True)
    ),
    "gre": Wrap("ended_gre", lambda _: 47, lambda _out, family, packet: gre(family, packet, summed=False)),
    "gre-csum": Wrap("ended_gre", lambda _: 47, lambda _out, family, packet: gre(family, packet, summed=True)),
}


def wrapped(kind: str, outer_family: str, family: str, packet: Packet, ecn: int = NOT_ECT) -> bytes:
    wrap = WRAPS[kind]
    body = wrap.body(outer_family, family, bytes(raw(packet)))
    return framed(outer(outer_family, wrap.protocol(family), body, ecn))


@pytest.mark.parametrize("size", [0, 1, 127, 1300, 2000], ids="{} bytes".format)
@pytest.mark.parametrize("family", FAMILIES, ids="inner {}".format)
@pytest.mark.parametrize("outer_family", FAMILIES, ids="outer {}".format)
@pytest.mark.parametrize("kind", WRAPS)
def test_every_tunnel_gives_the_inner_packet(
    rig: AgentRig, kind: str, outer_family: str, family: str, size: int
) -> None:
    packet = inner(family, payload=bytes(range(256)) * 8 if size == 2000 else os.urandom(size))
    done = rig.run(wrapped(kind, outer_family, family, packet))
    assert done.counted == {WRAPS[kind].counter: 1}
    assert done.action == (PASSED if family == outer_family or TELLS_THE_FAMILY else REDIRECTED)
    assert not difference(done.frame, framed(packet))


@pytest.mark.parametrize("family", FAMILIES, ids="inner {}".format)
@pytest.mark.parametrize("outer_family", FAMILIES, ids="outer {}".format)
def test_a_short_datagram_comes_through(rig: AgentRig, outer_family: str, family: str) -> None:
    packet = inner(family, payload=b"?", transport="udp")
    done = rig.run(wrapped("ipip", outer_family, family, packet))
    expected = framed(packet)
    assert not difference(done.frame[: len(expected)], expected)
    assert not any(done.frame[len(expected) :])  # Linux before 6.3 leaves no less than an IPv6 header's bytes


def test_headers_with_options_are_taken_off_whole(rig: AgentRig) -> None:
    packet = bytes(raw(inner("ipv4")))
    done = rig.run(framed(IP(src=DIRECTOR, dst=SERVER, proto=4, options=[b"\x94\x04\x00\x00"]) / Raw(packet)))
    assert done.frame == framed(inner("ipv4"))
    limit = IPv6ExtHdrDestOpt(nh=4, options=[PadN(optdata=bytes(4))])  # where Linux puts the encapsulation limit
    done = rig.run(framed(IPv6(src=DIRECTOR6, dst=SERVER6) / limit / Raw(packet)))
    assert done.frame == framed(inner("ipv4"))


def test_what_follows_the_outer_packet_is_no_part_of_it(rig: AgentRig) -> None:
    done = rig.run(wrapped("gre-csum", "ipv4", "ipv4", inner("ipv4")) + bytes(20))
    assert done.counted == {"ended_gre": 1}


# RFC 6040, figure 4: rows are what the inner packet says, columns the outer one.
ECN = {
    NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, None),
    ECT0: (ECT0, ECT1, ECT0, CE),
    ECT1: (ECT1, ECT1, ECT1, CE),
    CE: (CE, CE, CE, CE),
}


@pytest.mark.parametrize("family", FAMILIES, ids="inner {}".format)
@pytest.mark.parametrize("outer_family", FAMILIES, ids="outer {}".format)
@pytest.mark.parametrize(("inside", "outside"), [(a, b) for a in ECN for b in range(4)])
def test_congestion_that_the_outer_packet_met(
    rig: AgentRig, outer_family: str, family: str, inside: int, outside: int
) -> None:
    done = rig.run(wrapped("gue-csum", outer_family, family, inner(family, inside), outside))
    after = ECN[inside][outside]
    if after is None:
        assert (done.action, done.counted) == (DROPPED, {"dropped_congestion": 1})
    else:
        assert not difference(done.frame, framed(inner(family, after)))


def damaged(frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]


@pytest.mark.parametrize("outer_family", FAMILIES, ids="outer {}".format)
@pytest.mark.parametrize("kind", ["gue-csum", "gue-remcsum", "gre-csum"])
def test_a_wrong_checksum_is_seen_wherever_the_damage_is(rig: AgentRig, kind: str, outer_family: str) -> None:
    frame = wrapped(kind, outer_family, "ipv4", inner("ipv4", payload=bytes(300)))
    # the last byte, the inner TCP's window, the inner TTL: no header that decides whose packet it is
    for at in (len(frame) - 1, len(frame) - 300 - 6, len(frame) - 300 - 20 - 12):
        done = rig.run(damaged(frame, at))
        assert (done.action, done.counted) == (DROPPED, {"dropped_checksum": 1}), at


@pytest.mark.parametrize("family", FAMILIES, ids="inner {}".format)
@pytest.mark.parametrize("outer_family", FAMILIES, ids="outer {}".format)
def test_sums_that_hardware_was_to_finish(rig: AgentRig, outer_family: str, family: str) -> None:
    """On veth nobody does: the outer sum itself, or the inner one for which the outer one was made."""
    packet = bytes(raw(inner(family)))
    begun = gue(family, unfinished(family, packet))
    head = struct.pack("!HHHH", 33000, GUE_PORT, 8 + len(begun), pseudo(outer_family, 17, 8 + len(begun)))
    for_finished = udp(outer_family, gue(family, packet), summed=True)[:8]
    gre_for_finished = gre(family, packet, summed=True)[:8]
    for protocol, body, counter in (
        (17, head + begun, "ended_gue"),
        (17, for_finished + begun, "ended_gue"),
        (47, gre_for_finished + unfinished(family, packet), "ended_gre"),
    ):
        done = rig.run(framed(outer(outer_family, protocol, body)))
        assert done.counted == {counter: 1}
        assert done.frame[14:] == unfinished(family, packet)


def test_a_merged_packet_that_the_kernel_cannot_strip_is_dropped(rig: AgentRig) -> None:
    done = rig.run(wrapped("ipip", "ipv4", "ipv4", inner("ipv4")), gso_size=100)  # of no protocol: not TCP's
    assert (done.action, done.counted) == (DROPPED, {"dropped_refused": 1})


def gue_body(content: bytes, outer_family: str = "ipv4") -> bytes:
    return udp(outer_family, content, summed=False)


IN4 = bytes(raw(inner("ipv4")))
IN6 = bytes(raw(inner("ipv6")))
PRIVATE = 1
LEFT = {
    "to another address of the server": (
        "left_no_vip",
        framed(outer("ipv4", 4, bytes(raw(inner("ipv4", dst=SERVER))))),
    ),
    "to somebody else": ("left_no_vip", framed(outer("ipv4", 41, bytes(raw(inner("ipv6", dst=CLIENT6)))))),
    "from a stranger": ("left_untrusted", framed(outer("ipv4", 4, IN4, src="192.168.0.1"))),
    "from a stranger, IPv6": ("left_untrusted", framed(outer("ipv6", 4, IN4, src="2001:db8::1"))),
    "first fragment": ("left_fragment", framed(outer("ipv4", 4, IN4, flags="MF"))),
    "later fragment": ("left_fragment", framed(outer("ipv4", 4, IN4, frag=8))),
    "first fragment of GUE": ("left_fragment", framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4)), flags="MF"))),
    "IPv6 fragment": (
        "left_fragment",
        framed(IPv6(src=DIRECTOR6, dst=SERVER6) / IPv6ExtHdrFragment(nh=41, offset=4) / Raw(IN6)),
    ),
    "IPv4 said, IPv6 inside": ("left_malformed", framed(outer("ipv4", 4, IN6))),
    "IPv6 said, IPv4 inside": ("left_malformed", framed(outer("ipv4", 41, IN4 + bytes(40)))),
    "inner packet cut off": ("left_malformed", framed(outer("ipv4", 4, IN4[:-1]))),
    "inner header cut off": ("left_malformed", framed(outer("ipv4", 4, IN4[:19]))),
    "inner IPv6 packet cut off": ("left_malformed", framed(outer("ipv6", 41, IN6[:-1]))),
    "outer packet cut off": ("left_malformed", framed(outer("ipv4", 4, IN4))[:-1]),
    "inner length below its header": (
        "left_malformed",
        framed(outer("ipv4", 4, bytes(raw(IP(src=CLIENT, dst=VIP, len=19) / TCP())))),
    ),
    "GUE of another version": ("left_unknown", framed(outer("ipv4", 17, gue_body(b"\x40\x04\0\0" + IN4)))),
    "GUE control message": ("left_unknown", framed(outer("ipv4", 17, gue_body(b"\x20\x04\0\0" + IN4)))),
    "GUE with TCP inside": ("left_unknown", framed(outer("ipv4", 17, gue_body(b"\0\x06\0\0" + IN4)))),
    "GUE with an unknown flag": ("left_unknown", framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4, flags=2))))),
    "GUE with an unknown private flag": (
        "left_unknown",
        framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4, b"\0\0\0\1", PRIVATE)))),
    ),
    "GUE with a private flag and no room for it": (
        "left_malformed",
        framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4, flags=PRIVATE)))),
    ),
    "GUE with remote checksum and no room for it": (
        "left_malformed",
        framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4, b"\x80\0\0\0", PRIVATE)))),
    ),
    "GUE with a remote checksum behind the packet": (
        "left_malformed",
        framed(outer("ipv4", 17, gue_body(gue("ipv4", IN4, struct.pack("!IHH", 1 << 31, 20, len(IN4) - 1), PRIVATE)))),
    ),
    "GUE with options behind the packet": (
        "left_malformed",
        framed(outer("ipv4", 17, gue_body(b"\x1f\x04\0\0" + IN4))),
    ),
    "UDP length beyond the packet": (
        "left_malformed",
        framed(outer("ipv4", 17, struct.pack("!HHHH", 1, GUE_PORT, 9 + 4 + len(IN4), 0) + gue("ipv4", IN4))),
    ),
    "inner packet beyond the UDP length": (
        "left_malformed",
        framed(outer("ipv4", 17, struct.pack("!HHHH", 1, GUE_PORT, 8 + 4 + len(IN4) - 1, 0) + gue("ipv4", IN4))),
    ),
    "GRE with a key": ("left_unknown", framed(outer("ipv4", 47, b"\x20\0\x08\0\0\0\0\1" + IN4))),
    "GRE of version 1": ("left_unknown", framed(outer("ipv4", 47, b"\0\1\x08\0" + IN4))),
    "GRE with Ethernet inside": ("left_unknown", framed(outer("ipv4", 47, b"\0\0\x65\x58" + IN4))),
}


@pytest.mark.parametrize("row", LEFT)
def test_what_is_not_let_in_is_counted_and_left_as_it_came(rig: AgentRig, row: str) -> None:
    counter, frame = LEFT[row]
    done = rig.run(frame)
    assert done.counted == {counter: 1}
    assert (done.action, done.frame) == (PASSED, frame)


@pytest.mark.parametrize(
    ("dst", "dst6", "counter"),
    [("10.9.0.1", "fd09::1", "left_not_local"), ("10.2.0.2", "fd02::2", "ended_ipip"), (SERVER, SERVER6, "ended_ipip")],
    ids=["for a host behind", "for its own address there", "for another address of its own"],
)
def test_where_the_server_forwards_only_its_own_tunnels_end(rig: AgentRig, dst: str, dst6: str, counter: str) -> None:
    for packet in (outer("ipv4", 4, IN4, dst=dst), outer("ipv6", 4, IN4, dst=dst6)):
        done = rig.run(framed(packet, ROUTER_STATION), link="router")
        assert done.counted == {counter: 1}


PLAIN = {
    "TCP to the VIP": framed(inner("ipv4")),
    "TCP to the VIP, IPv6": framed(inner("ipv6")),
    "UDP to another port": framed(outer("ipv4", 17, udp("ipv4", gue("ipv4", IN4), summed=True, port=6081))),
    "later fragment of UDP": framed(outer("ipv4", 17, udp("ipv4", gue("ipv4", IN4), summed=True), frag=8)),
    "to another station": framed(outer("ipv4", 4, IN4), dst="02:00:00:00:01:99"),
    "broadcast": framed(outer("ipv4", 4, IN4), dst="ff:ff:ff:ff:ff:ff"),
    "wrong IP version": framed(outer("ipv4", 4, IN4)).replace(b"\x08\x00\x45", b"\x08\x00\x55", 1),
    "ARP for the server": framed(ARP(op=1, psrc=DIRECTOR, pdst=SERVER), dst="ff:ff:ff:ff:ff:ff"),
    "ARP answer about the VIP": framed(ARP(op=2, psrc=VIP, pdst=VIP)),
}


@pytest.mark.parametrize("row", PLAIN)
def test_plain_packets_are_neither_changed_nor_counted(rig: AgentRig, row: str) -> None:
    done = rig.run(PLAIN[row])
    assert (done.action, done.frame, done.counted) == (PASSED, PLAIN[row], {})


@pytest.mark.parametrize("dst", ["ff:ff:ff:ff:ff:ff", STATION])
@pytest.mark.parametrize("src", [DIRECTOR, "0.0.0.0", VIP], ids=["neighbour", "probe", "announcement"])
def test_nobody_is_told_the_station_of_a_vip(rig: AgentRig, src: str, dst: str) -> None:
    done = rig.run(framed(ARP(op=1, psrc=src, pdst=VIP), dst=dst))
    assert (done.action, done.counted) == (DROPPED, {"dropped_arp": 1})
