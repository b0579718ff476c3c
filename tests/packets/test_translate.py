# SPDX-License-Identifier: GPL-2.0-or-later
"""translate.h, translate_icmp.h: IPv6 clients of IPv4 servers, by FullNAT (RFC 7915)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from bpvs.model import Protocol
from tests.packets.between import ACK, BETWEEN, LINK_MTU, PATHS, TCP64, answered, behind, in_ipv4, in_ipv6
from tests.packets.errors import answer
from tests.packets.frames import (
    Flow,
    Path,
    Shape,
    alone,
    difference,
    frame,
    localised,
    opened,
    with_lower_mss,
    with_option,
)
from tests.packets.listing import traffic
from tests.packets.proxied import LINUX, Proxied, guard, pending
from tests.packets.rig import Action, Hook, Rig, mac
from tests.packets.test_sequence import NOP, SEGMENTS, after_reply, after_request, sacks

pytestmark = pytest.mark.root

GUARDED = replace(TCP64, virtual_port=81)
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)

TOA_SIZE = 20
OPTIONS = {"options": [("MSS", 1440), ("SAckOK", b""), ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)]}
BLOCK = Shape(flags="A", transport={"options": [NOP, NOP, sacks(3)]}, payload=b"odd")
DATA = Shape(flags="PA", payload=b"GET / HTTP/1.0\r\n\r\n")


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()), locals_=[one for path in PATHS.values() for one in path.locals])


def requested(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    if not flow.is_told and not set("SR") & set(shape.flags):
        shape = with_option(shape, flow.toa)
    assert not difference(run.frame, behind(flow).to_server(in_ipv4(shape)))


def replied(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    run = rig.run(hook, behind(flow).reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    if not flow.is_told and "S" in shape.flags:
        shape = with_lower_mss(shape, TOA_SIZE)
    assert not difference(run.frame, replace(flow, is_told=True).to_client(in_ipv6(shape)))


# name, header fields of IPv4 and of IPv6, the rest
SHAPES: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any], Shape], ...] = (
    ("bare", {}, {}, Shape(flags="A")),
    ("payload", {}, {}, DATA),
    ("odd payload", {}, {}, Shape(flags="PA", payload=b"odd")),
    ("payload of ones", {}, {}, Shape(flags="A", payload=b"\xff" * 64)),
    ("full size", {}, {}, Shape(flags="A", payload=bytes(range(250)) * 5)),
    ("padding of Ethernet", {}, {}, Shape(flags="A", payload=b"xy", padding=b"\0\1\2\3\4\5")),
    ("last but one hop", {}, {}, Shape(flags="A", ttl=2)),
    ("greatest TTL", {}, {}, Shape(flags="A", ttl=255)),
    ("traffic class", {"tos": 0xB9}, {"tc": 0xB9}, DATA),
    ("all of the class", {"tos": 0xFF}, {"tc": 0xFF}, DATA),
    ("what the other family has not", {"id": 0xFFFF, "flags": "DF"}, {"fl": 0xFFFFF}, DATA),
    ("reset", {}, {}, Shape(flags="R")),
    ("end", {}, {}, Shape(flags="FA")),
)
ROWS = [
    pytest.param(path, replace(shape, ip=ipv4), replace(shape, ip=ipv6), id=f"{name}, {which}")
    for name, ipv4, ipv6, shape in SHAPES
    for which, path in PATHS.items()
]


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize(
    "shape", [Shape(), Shape(payload=b"first", ip={"tc": 0xB9, "fl": 7}), Shape(transport=OPTIONS)]
)
def test_first_packet_comes_from_the_local_address(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    if path.protocol is Protocol.UDP:
        shape = replace(shape, transport={})
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    there = localised(flow, run.frame)
    assert there.path.local == path.local
    assert not difference(run.frame, behind(there).to_server(in_ipv4(shape)))


@HOOKS
@pytest.mark.parametrize(("path", "_ipv4", "shape"), ROWS)
def test_request(rig: Rig, hook: Hook, path: Path, _ipv4: Shape, shape: Shape) -> None:
    requested(rig, hook, answered(rig, hook, opened(rig, hook, path)), shape)


@HOOKS
@pytest.mark.parametrize(("path", "_ipv4", "shape"), ROWS)
def test_request_to_a_server_that_does_not_know_the_client(
    rig: Rig, hook: Hook, path: Path, _ipv4: Shape, shape: Shape
) -> None:
    """TCP's is told by the option, in IPv4 too."""
    flow = opened(rig, hook, path)
    assert (flow.is_told, flow.toa[0]) == (path.protocol is Protocol.UDP, 253)
    requested(rig, hook, flow, shape)


@HOOKS
@pytest.mark.parametrize(("path", "shape", "_ipv6"), ROWS)
def test_reply(rig: Rig, hook: Hook, path: Path, shape: Shape, _ipv6: Shape) -> None:
    replied(rig, hook, opened(rig, hook, path), shape)


@HOOKS
def test_server_s_offer_leaves_room_for_the_option(rig: Rig, hook: Hook) -> None:
    replied(rig, hook, opened(rig, hook, PATHS["tcp"]), Shape(flags="SA", transport=OPTIONS))


@HOOKS
def test_request_without_udp_checksum_stays_so(rig: Rig, hook: Hook) -> None:
    requested(rig, hook, opened(rig, hook, PATHS["udp"]), Shape(payload=b"none", transport={"chksum": 0}))


def payload_for(flow: Flow, wanted: int, sent: str) -> bytes:
    """Two bytes with which the packet that leaves has this transport checksum, found from the one that zeros give."""
    shape = Shape(flags="A", payload=bytes(2))
    content = behind(flow).to_server(in_ipv4(shape)) if sent == "request" else flow.to_client(in_ipv6(shape))
    packet = Ether(content)
    found: int = packet[UDP].chksum if UDP in packet else packet[TCP].chksum
    return ((found - wanted) % 0xFFFF).to_bytes(2, "big")


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("wanted", [0, 1, 0xFFFE])
def test_checksums_at_the_edge(rig: Rig, hook: Hook, path: Path, wanted: int) -> None:
    flow = answered(rig, hook, opened(rig, hook, path))
    requested(rig, hook, flow, Shape(flags="A", payload=payload_for(flow, wanted, "request")))
    replied(rig, hook, flow, Shape(flags="A", payload=payload_for(flow, wanted, "reply")))


@HOOKS
@EVERY_PATH
def test_used_up_hops_are_answered_in_the_sender_s_family(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    for arrives, link, error in (
        (flow.request(replace(ACK, ttl=1)), "front", ICMPv6TimeExceeded()),
        (behind(flow).reply(replace(ACK, ttl=1)), "back", ICMP(type=11)),
    ):
        run = rig.run(hook, arrives, link)
        if hook is Hook.XDP:
            assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        else:
            assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TTL": 1})
            assert not difference(run.frame, answer(arrives, error))


# what has no counterpart: name, protocols, from the server?, packet
UNTRANSLATABLE: tuple[tuple[str, str, bool, Mapping[str, Any]], ...] = (
    ("hop-by-hop options", "tcp udp", False, {"extensions": IPv6ExtHdrHopByHop()}),
    ("destination options", "tcp udp", False, {"extensions": IPv6ExtHdrDestOpt()}),
    ("IPv4 options", "tcp udp", True, {"ip": {"options": [IPOption_NOP()] * 4}}),
    ("UDP reply without checksum", "udp", True, {"transport": {"chksum": 0}}),
)


@HOOKS
@pytest.mark.parametrize(
    ("path", "is_reply", "fields"),
    [
        pytest.param(PATHS[which], is_reply, fields, id=f"{name}, {which}")
        for name, protocols, is_reply, fields in UNTRANSLATABLE
        for which in protocols.split()
    ],
)
def test_what_has_no_counterpart_is_dropped(
    rig: Rig, hook: Hook, path: Path, is_reply: bool, fields: Mapping[str, Any]
) -> None:
    flow = answered(rig, hook, opened(rig, hook, path))
    shape = replace(DATA, **fields)
    run = rig.run(hook, behind(flow).reply(shape) if is_reply else flow.request(shape), "back" if is_reply else "front")
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_UNTRANSLATABLE": 1})


@EVERY_PATH
def test_a_client_on_the_director_does_not_get_what_has_no_counterpart_either(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1"), rig.port(), is_local=True)
    flow = localised(flow, rig.run(Hook.TC, flow.request(Shape()), "lo").frame)
    run = rig.run(Hook.TC, behind(flow).reply(replace(DATA, ip={"options": [IPOption_NOP()] * 4})), "back")
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_UNTRANSLATABLE": 1})


def filling(flow: Flow, length: int, **ip: Any) -> Shape:
    """A packet of that many bytes, in the family of the flow."""
    headers = (40 if flow.path.is_ipv6 else 20) + (8 if flow.path.protocol is Protocol.UDP else 20)
    return Shape(flags="A", payload=bytes(length - headers), ip=ip)


@HOOKS
@EVERY_PATH
def test_request_may_be_longer_than_the_way_on(rig: Rig, hook: Hook, path: Path) -> None:
    flow = answered(rig, hook, opened(rig, hook, path))
    requested(rig, hook, flow, filling(flow, LINK_MTU + BETWEEN))
    arrives = flow.request(filling(flow, LINK_MTU + BETWEEN + 1))
    too_big(rig, hook, arrives, "front", ICMPv6PacketTooBig(mtu=LINK_MTU + BETWEEN))


@HOOKS
@EVERY_PATH
def test_reply_must_be_shorter_than_the_way_on(rig: Rig, hook: Hook, path: Path) -> None:
    flow = answered(rig, hook, opened(rig, hook, path))
    there = behind(flow)
    replied(rig, hook, flow, filling(there, LINK_MTU - BETWEEN, flags="DF"))
    arrives = there.reply(filling(there, LINK_MTU - BETWEEN + 1, flags="DF"))
    too_big(rig, hook, arrives, "back", ICMP(type=3, code=4, nexthopmtu=LINK_MTU - BETWEEN))


def too_big(rig: Rig, hook: Hook, arrives: bytes, link: str, error: Packet) -> None:
    run = rig.run(hook, arrives, link)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        return
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TOO_BIG": 1})
    assert not difference(run.frame, answer(arrives, error))


@HOOKS
@EVERY_PATH
def test_traffic_counts_in_the_client_s_and_the_server_s_own_size(rig: Rig, hook: Hook, path: Path) -> None:
    own = replace(path, virtual_port=rig.port())
    rig.serve(own.row, locals_=own.locals)
    flow = answered(rig, hook, opened(rig, hook, own))
    requested(rig, hook, flow, DATA)
    header = 8 if path.protocol is Protocol.UDP else 20
    request, reply = 2 * (40 + header) + len(DATA.payload), 20 + header
    assert traffic(own) == (1, 2, 1, request, reply)


# name, the error that arrives, the one that must leave; None: it has no counterpart
TO_CLIENT: tuple[tuple[str, Packet, Packet | None], ...] = (
    ("port unreachable", ICMP(type=3, code=3), ICMPv6DestUnreach(code=4)),
    ("host unreachable", ICMP(type=3, code=1), ICMPv6DestUnreach(code=0)),
    ("net unreachable", ICMP(type=3, code=0), ICMPv6DestUnreach(code=0)),
    ("fragmentation needed", ICMP(type=3, code=4, nexthopmtu=1400), ICMPv6PacketTooBig(mtu=1420)),
    ("fragmentation needed, small", ICMP(type=3, code=4, nexthopmtu=1261), ICMPv6PacketTooBig(mtu=1281)),
    ("fragmentation needed, too small", ICMP(type=3, code=4, nexthopmtu=1259), ICMPv6PacketTooBig(mtu=1280)),
    ("fragmentation needed, no MTU", ICMP(type=3, code=4), ICMPv6PacketTooBig(mtu=1280)),
    ("time exceeded", ICMP(type=11), ICMPv6TimeExceeded()),
    ("reassembly", ICMP(type=11, code=1), ICMPv6TimeExceeded(code=1)),
    ("source quench", ICMP(type=4), None),
)
TO_SERVER: tuple[tuple[str, Packet, Packet | None], ...] = (
    ("port unreachable", ICMPv6DestUnreach(code=4), ICMP(type=3, code=3)),
    ("address unreachable", ICMPv6DestUnreach(code=3), ICMP(type=3, code=1)),
    ("no route", ICMPv6DestUnreach(code=0), ICMP(type=3, code=1)),
    ("too big", ICMPv6PacketTooBig(mtu=1400), ICMP(type=3, code=4, nexthopmtu=1380)),
    ("too big, least", ICMPv6PacketTooBig(mtu=1280), ICMP(type=3, code=4, nexthopmtu=1260)),
    ("too big, less than the least", ICMPv6PacketTooBig(mtu=68), ICMP(type=3, code=4, nexthopmtu=1260)),
    ("time exceeded", ICMPv6TimeExceeded(), ICMP(type=11)),
    ("reassembly", ICMPv6TimeExceeded(code=1), ICMP(type=11, code=1)),
    ("parameter problem", ICMPv6ParamProblem(ptr=6), None),
)
QUOTED = Shape(flags="PA", ttl=61, payload=bytes(range(200)), transport={})
ARRIVING_TTL = 60
WHOLE = 10_000
LEAST = 8  # bytes of the embedded packet's transport header


def kept(ours: Packet, theirs: Packet) -> Raw:
    """The embedded packet as its sender sent it: all but ports and IP header is as it arrived, up to 8 bytes."""
    head = 40 if IPv6 in ours else 20
    return Raw(bytes(raw(ours))[: head + 4] + bytes(raw(theirs.payload))[4:LEAST])


def error_to_client(flow: Flow, came: Packet, leaves: Packet, transport: int) -> tuple[bytes, bytes]:
    """An error about a request, from a router: as it arrives with so many bytes of transport, and as it must leave."""
    path, there = flow.path, behind(flow)
    theirs = there.packet(in_ipv4(QUOTED), *there.at_server)
    ours = flow.packet(replace(QUOTED, ttl=ARRIVING_TTL), path.client, flow.port, path.virtual, path.virtual_port)
    arriving = IP(src="10.2.0.254", dst=path.local, ttl=ARRIVING_TTL) / came / Raw(bytes(raw(theirs))[: 20 + transport])
    leaving = IPv6(src=path.virtual, dst=path.client, hlim=ARRIVING_TTL - 1) / leaves / kept(ours, theirs)
    return frame(mac(2, 18), mac(2, 1), arriving), frame(mac(1, 1), mac(1, 2), leaving)


def error_to_server(
    flow: Flow, came: Packet, leaves: Packet, transport: int, seq: tuple[int, int] = (0, 0)
) -> tuple[bytes, bytes]:
    """An error about a reply, from a router on the client's side. `seq`: the reply's at the client, at the server."""
    path, there = flow.path, behind(flow)
    src, sport, dst, dport = there.at_server
    at_client, at_server = (
        replace(QUOTED, transport={"seq": one} if path.protocol is Protocol.TCP else {}) for one in seq
    )
    theirs = flow.packet(at_client, path.virtual, path.virtual_port, path.client, flow.port)
    ours = there.packet(in_ipv4(replace(at_server, ttl=ARRIVING_TTL)), dst, dport, src, sport)
    arriving = IPv6(src="fd01::254", dst=path.virtual, hlim=ARRIVING_TTL) / came
    arriving /= Raw(bytes(raw(theirs))[: 40 + transport])
    inner = Raw(bytes(raw(ours))[: 20 + LEAST]) if any(seq) else kept(ours, theirs)
    leaving = IP(src=path.local, dst=path.server, ttl=ARRIVING_TTL - 1, flags="DF", id=0) / leaves / inner
    return frame(mac(1, 2), mac(1, 1), arriving), frame(mac(2, 1), path.server_mac, leaving)


def error_rows(table: tuple[tuple[str, Packet, Packet | None], ...]) -> list[Any]:
    """Parameters (path, came, leaves, transport): each error on each path, around everything and around the least."""
    return [
        pytest.param(path, came, leaves, transport, id=f"{name}, {which}, {transport} bytes")
        for name, came, leaves in table
        for which, path in PATHS.items()
        for transport in (LEAST, WHOLE)
    ]


def judge(rig: Rig, hook: Hook, arrives: bytes, link: str, leaves: bytes | None) -> None:
    run = rig.run(hook, arrives, link)
    if leaves is None:
        assert (run.action, run.verdicts) == (Action.DROP, {"DROP_UNTRANSLATABLE": 1})
        return
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, leaves)


@HOOKS
@pytest.mark.parametrize(("path", "came", "leaves", "transport"), error_rows(TO_CLIENT))
def test_error_to_the_client(
    rig: Rig, hook: Hook, path: Path, came: Packet, leaves: Packet | None, transport: int
) -> None:
    arrives, expected = error_to_client(opened(rig, hook, path), came, leaves or ICMPv6DestUnreach(), transport)
    judge(rig, hook, arrives, "back", expected if leaves else None)


@HOOKS
def test_a_router_s_mtu_holds_for_requests_that_tell_the_client(rig: Rig, hook: Hook) -> None:
    """They get longer than the client knows, and the way is one of IPv4: what would not fit goes without."""
    path, mtu = alone(rig, TCP64), 1400
    flow = opened(rig, hook, path)
    full, fits = (Shape(flags="A", payload=bytes(mtu - 40 - TOA_SIZE + more)) for more in (1, 0))
    requested(rig, hook, flow, full)
    arrives, _ = error_to_client(flow, ICMP(type=3, code=4, nexthopmtu=mtu), ICMPv6PacketTooBig(), LEAST)
    assert rig.run(hook, arrives, "back").is_forwarded
    requested(rig, hook, replace(flow, is_told=True), full)
    requested(rig, hook, flow, fits)


@HOOKS
@pytest.mark.parametrize(("path", "came", "leaves", "transport"), error_rows(TO_SERVER))
def test_error_to_the_server(
    rig: Rig, hook: Hook, path: Path, came: Packet, leaves: Packet | None, transport: int
) -> None:
    arrives, expected = error_to_server(opened(rig, hook, path), came, leaves or ICMP(), transport)
    judge(rig, hook, arrives, "front", expected if leaves else None)


def accepted(rig: Rig, hook: Hook) -> tuple[Proxied, Flow]:
    """A connection behind SYNPROXY that its server has accepted."""
    made = pending(rig, hook, GUARDED)
    run = rig.run(Hook.TC, behind(made.flow).reply(made.accepting(LINUX)), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
    return made, replace(made.flow, is_told=True)


@HOOKS
def test_embedded_number_behind_synproxy_is_the_server_s_own(rig: Rig, hook: Hook) -> None:
    guard(rig, GUARDED)
    made, flow = accepted(rig, hook)
    number = made.server_isn + 1000
    came, leaves = ICMPv6PacketTooBig(mtu=1400), ICMP(type=3, code=4, nexthopmtu=1380)
    seq = (number + made.shift) % 2**32, number
    arrives, expected = error_to_server(flow, came, leaves, LEAST, seq)
    judge(rig, hook, arrives, "front", expected)


@HOOKS
@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in (*SEGMENTS, ("SACK", BLOCK))])
def test_segments_behind_synproxy_are_shifted_and_translated(rig: Rig, hook: Hook, shape: Shape) -> None:
    guard(rig, GUARDED)
    made, flow = accepted(rig, hook)
    replied = rig.run(hook, behind(flow).reply(replace(shape, flags="A")), "back")
    assert (replied.action, replied.verdicts) == (Action.REDIRECT, {})
    assert not difference(replied.frame, flow.to_client(in_ipv6(after_reply(made, replace(shape, flags="A")))))
    asked = rig.run(hook, flow.request(shape))
    assert (asked.action, asked.verdicts) == (Action.REDIRECT, {})
    assert not difference(asked.frame, behind(flow).to_server(in_ipv4(after_request(made, shape))))
