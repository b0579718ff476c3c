# SPDX-License-Identifier: GPL-2.0-or-later
"""sctp.h, sctp_state.h and crc32c.h: SCTP by NAT, DR and tunnels; its checksum covers the ports, but no addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6TimeExceeded,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)

from bpvs.model import Address, Method, NotBuilt, Protocol, RealServer
from tests.packets.chunks import COOKIE_ECHO, DATA, INIT, TYPES, chunk, numbered
from tests.packets.errors import UNREACHABLE, UNREACHABLE6, Error, answer
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import connection_of, counts, state_of
from tests.packets.rig import Action, Hook, Rig
from tests.packets.tunnels import PLAIN, SUMMED, in_tunnel, paths_of

pytestmark = pytest.mark.root

SCTP4 = Path(CLIENT, "10.0.0.131", 3868, "10.2.0.12", 3868, Protocol.SCTP)
SCTP6 = Path(CLIENT6, "fd00::131", 3868, "fd02::12", 3868, Protocol.SCTP)
PORT4 = replace(SCTP4, virtual_port=3869, server_port=13868)
PORT6 = replace(SCTP6, virtual_port=3869, server_port=13868)
ROUTE4 = replace(SCTP4, virtual_port=3870, server_port=3870, method=Method.ROUTE)
ROUTE6 = replace(SCTP6, virtual_port=3870, server_port=3870, method=Method.ROUTE)
PATHS = {
    "same port": SCTP4,
    "same port, IPv6": SCTP6,
    "other port": PORT4,
    "other port, IPv6": PORT6,
    "DR": ROUTE4,
    "DR, IPv6": ROUTE6,
}
TUNNELS = paths_of(PLAIN | SUMMED, 132, server=14, protocols=(Protocol.SCTP,))
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_TUNNEL = pytest.mark.parametrize("path", TUNNELS.values(), ids=TUNNELS)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
OTHER_PORT = pytest.mark.parametrize("path", [PORT4, PORT6], ids=["IPv4", "IPv6"])

OPEN = Shape(payload=INIT)
OPTIONS = {"options": [IPOption_NOP()] * 8}
SHAPES = {
    "INIT": OPEN,
    "data": Shape(payload=DATA),
    "tag": Shape(payload=DATA, transport={"tag": 0xFEDCBA98}),
    "two chunks": Shape(payload=chunk("SACK", bytes(12)) + DATA),
    "chunk without content": Shape(payload=chunk("COOKIE_ACK")),
    "chunk that claims more than there is": Shape(payload=b"\0\3\xff\xff" + bytes(8)),
    "odd length": Shape(payload=DATA[:-2]),
    "full size": Shape(payload=chunk("DATA", bytes(range(250)) * 5)),
    "padding of Ethernet": Shape(payload=chunk("COOKIE_ACK"), padding=b"\1\2\3\4\5"),
    "last but one hop": Shape(payload=DATA, ttl=2),
}
IPV4_SHAPES = {"IP options": Shape(payload=DATA, ip=OPTIONS)}
IPV6_SHAPES = {"extension headers": Shape(payload=DATA, extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt())}
ROWS = [
    pytest.param(path, shape, id=f"{name}, {which}")
    for which, path in PATHS.items()
    for name, shape in (SHAPES | (IPV6_SHAPES if path.is_ipv6 else IPV4_SHAPES)).items()
]


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in (*PATHS.values(), *TUNNELS.values())))


def opened(rig: Rig, path: Path) -> Flow:
    flow = Flow(path, rig.port())
    assert rig.run_uncounted(Hook.TC, flow.request(OPEN))[0] is Action.REDIRECT
    return flow


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_goes_to_the_server(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = opened(rig, path)
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_comes_from_the_service(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = opened(rig, path)
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@HOOKS
@EVERY_PATH
def test_wrong_checksum_stays_wrong(rig: Rig, hook: Hook, path: Path) -> None:
    """It is the receiver's to drop; where no port changes it is not even looked at."""
    flow = opened(rig, path)
    right = int.from_bytes(checksum(flow.request(Shape(payload=DATA)), path), "big")
    arrives = flow.request(Shape(payload=DATA, transport={"chksum": right ^ 0x10}))
    leaves = flow.to_server(Shape(payload=DATA))
    expected = int.from_bytes(checksum(leaves, path), "big") ^ 0x10
    assert not difference(
        rig.run(hook, arrives).frame, flow.to_server(Shape(payload=DATA, transport={"chksum": expected}))
    )


def checksum(content: bytes, path: Path) -> bytes:
    at = 14 + (40 if path.is_ipv6 else 20) + 8
    return content[at : at + 4]


def with_checksum(flow: Flow, wanted: int) -> Shape:
    """A packet that arrives with this checksum: the CRC is linear, so 32 bits of payload reach any."""

    def sent(word: int) -> int:
        content = flow.request(Shape(payload=DATA[:-4] + word.to_bytes(4, "big")))
        return int.from_bytes(checksum(content, flow.path), "big")

    start, found, left = sent(0), 0, sent(0) ^ wanted
    basis: dict[int, tuple[int, int]] = {}
    for bit in range(32):
        value, word = sent(1 << bit) ^ start, 1 << bit
        while value and value.bit_length() in basis:
            other = basis[value.bit_length()]
            value, word = value ^ other[0], word ^ other[1]
        basis[value.bit_length()] = value, word
    while left:
        value, word = basis[left.bit_length()]
        left, found = left ^ value, found ^ word
    return Shape(payload=DATA[:-4] + found.to_bytes(4, "big"))


@HOOKS
@OTHER_PORT
@pytest.mark.parametrize("wanted", [0, 1, 0xFFFF, 0xFFFF0000, 0xFFFFFFFF])
def test_finished_checksum_at_the_edge(rig: Rig, hook: Hook, path: Path, wanted: int) -> None:
    """Zero is what an unfinished one looks like, but here the kernel knows better."""
    flow = opened(rig, path)
    shape = with_checksum(flow, wanted)
    arrives = flow.request(shape)
    assert checksum(arrives, path) == wanted.to_bytes(4, "big")
    assert not difference(rig.run(hook, arrives).frame, flow.to_server(shape))


@HOOKS
@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", [name for name in TYPES if name != "INIT"])
def test_chunk_that_opens_nothing(rig: Rig, hook: Hook, path: Path, name: str) -> None:
    arrives = Flow(path, rig.port()).request(Shape(payload=chunk(name, bytes(16)) + INIT))
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, arrives)


@HOOKS
@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
def test_what_else_passes(rig: Rig, hook: Hook, path: Path) -> None:
    udp = replace(path, protocol=Protocol.UDP)
    for flow, shape, verdict in (
        (Flow(replace(path, virtual_port=1), rig.port()), OPEN, "PASS_NO_SERVICE"),
        (Flow(udp, rig.port()), Shape(payload=INIT), "PASS_NO_SERVICE"),
        (Flow(path, 20), OPEN, "PASS_NO_CONNECTION"),
        (Flow(path, rig.port()), Shape(), "PASS_MALFORMED"),
        (Flow(path, rig.port()), Shape(padding=INIT), "PASS_MALFORMED"),
        (Flow(path, rig.port()), Shape(payload=INIT[:3], padding=INIT[3:]), "PASS_MALFORMED"),
    ):
        arrives = flow.request(shape)
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {verdict: 1}, arrives)


@HOOKS
@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
def test_cut_off_at_every_byte(rig: Rig, hook: Hook, path: Path) -> None:
    content = Flow(path, rig.port()).request(OPEN)
    for length in range(rig.shortest(hook, content), len(content)):
        assert rig.run_uncounted(hook, content[:length]) == (Action.PASS, content[:length])
    assert rig.run_uncounted(hook, content)[0] is Action.REDIRECT


ABORT = chunk("ABORT")
LONG_COOKIE = chunk("COOKIE_ECHO", bytes(1200))
# name, chunks of the client's second packet, state after it
SECOND = (
    ("cookie alone", COOKIE_ECHO, "C-REPLIED"),
    ("cookie and ABORT", COOKIE_ECHO + ABORT, "CLOSED"),
    ("cookie beyond the first 512 bytes and ABORT", LONG_COOKIE + ABORT, "CLOSED"),
    ("cookie, data, ABORT", COOKIE_ECHO + DATA + ABORT, "C-REPLIED"),
    ("cookie and data", COOKIE_ECHO + DATA, "C-REPLIED"),
    ("cookie of no length, ABORT", b"\x0a\0\0\0" + ABORT, "C-REPLIED"),
    ("cookie of length 3, ABORT", b"\x0a\0\0\3" + ABORT, "C-REPLIED"),
    ("cookie as long as a packet can be, ABORT", b"\x0a\0\xff\xff" + ABORT, "C-REPLIED"),
    ("cookie and half an ABORT", COOKIE_ECHO + ABORT[:3], "C-REPLIED"),
    ("COOKIE ACK and ABORT", chunk("COOKIE_ACK") + ABORT, "CLOSED"),
    ("SACK and ABORT", chunk("SACK", bytes(12)) + ABORT, "C-SENT"),
    ("ABORT and cookie", ABORT + COOKIE_ECHO, "CLOSED"),
    ("type that nobody knows and ABORT", numbered(200) + ABORT, "C-SENT"),
)


@HOOKS
@pytest.mark.parametrize(("chunks", "state"), [pytest.param(*row, id=name) for name, *row in SECOND])
def test_abort_behind_a_cookie(rig: Rig, hook: Hook, chunks: bytes, state: str) -> None:
    flow = opened(rig, SCTP4)
    rig.run_uncounted(hook, flow.reply(Shape(payload=chunk("INIT_ACK", bytes(100)))), "back")
    rig.run_uncounted(hook, flow.request(Shape(payload=chunks, padding=ABORT)))
    assert state_of(flow) == state


@HOOKS
def test_init_on_a_closed_association_is_scheduled_anew(rig: Rig, hook: Hook) -> None:
    path = alone(rig, SCTP4)
    flow = Flow(path, rig.port())
    with rig.change() as table:
        table.add_server(path.key, RealServer(Address.parse("10.2.0.13"), 3868, Method.NAT))
    reached = []
    for after in ("INIT1", "INIT", "CLOSED", "INIT1"):
        rig.run_uncounted(hook, flow.request(Shape(payload=ABORT) if after == "CLOSED" else OPEN))
        one = connection_of(flow)
        assert one is not None
        assert one.state == after
        reached.append(str(one.server))
    assert reached == ["10.2.0.13"] * 3 + [path.server]
    assert counts(path) == (0, 1)


QUOTED = Shape(payload=DATA, transport={"chksum": 0x12345678})
QUOTED_INIT = replace(QUOTED, payload=INIT)
ERRORS4 = {
    "8 bytes of transport": Error(UNREACHABLE, QUOTED, 28),
    "an INIT's tag": Error(UNREACHABLE, QUOTED_INIT, 40),
    "the whole packet": Error(ICMP(type=3, code=4, nexthopmtu=1400), QUOTED, from_router=True),
}
ERRORS6 = {
    "8 bytes of transport": Error(UNREACHABLE6, QUOTED, 48),
    "an INIT's tag": Error(UNREACHABLE6, QUOTED_INIT, 60),
    "the whole packet": Error(ICMPv6TimeExceeded(), QUOTED, from_router=True),
}


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("name", ERRORS4)
def test_icmp_error_is_translated(rig: Rig, hook: Hook, path: Path, name: str) -> None:
    """But for the checksum inside, whatever it is."""
    flow = opened(rig, path)
    error = (ERRORS6 if path.is_ipv6 else ERRORS4)[name]
    for (arrives, leaves), link in ((error.to_client(flow), "back"), (error.to_server(flow), "front")):
        run = rig.run(hook, arrives, link)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, leaves)


@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
def test_refused_init_is_quoted_with_its_tag(rig: Rig, path: Path) -> None:
    """RFC 9260 section 10: the sender believes an error about an INIT only if it can see the tag inside."""
    rig.serve((path.key, replace(path.row[1], weight=0)))
    arrives = Flow(path, rig.port()).request(Shape(payload=INIT + bytes(40)))
    header = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_NO_SERVER": 1})
    assert not difference(run.frame, answer(arrives, header, quote=(40 if path.is_ipv6 else 20) + 20))


@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
def test_short_packet_is_quoted_whole(rig: Rig, path: Path) -> None:
    flow = opened(rig, path)
    arrives = flow.request(Shape(payload=chunk("COOKIE_ACK"), ttl=1, padding=b"not part of it"))
    header = ICMPv6TimeExceeded() if path.is_ipv6 else ICMP(type=11)
    run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TTL": 1})
    assert not difference(run.frame, answer(arrives, header, quote=(40 if path.is_ipv6 else 20) + 16))


@pytest.mark.parametrize("path", [PORT4, PORT6], ids=["IPv4", "IPv6"])
def test_client_on_the_director(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    request = rig.run(Hook.TC, flow.request(OPEN), "lo")
    assert request.action is Action.REDIRECT
    assert not difference(request.frame, flow.to_server(OPEN))
    reply = rig.run(Hook.TC, flow.reply(Shape(payload=DATA)), "back")
    assert reply.action is Action.REDIRECT
    assert not difference(reply.frame, flow.to_client(Shape(payload=DATA)))


@EVERY_PATH
def test_segments_of_any_size(rig: Rig, path: Path) -> None:
    """GSO_BY_FRAGS: the sender has cut them already, so the size of the whole says nothing."""
    flow = opened(rig, path)
    shape = Shape(payload=chunk("DATA", bytes(1900)), ip={} if path.is_ipv6 else {"flags": "DF"})
    run = rig.run(Hook.TC, flow.request(shape), gso_size=0xFFFF)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))
    assert rig.run(Hook.TC, flow.request(shape)).verdicts == {"DROP_TOO_BIG": 1}


@pytest.mark.parametrize("path", [SCTP4, SCTP6], ids=["IPv4", "IPv6"])
def test_segments_of_any_size_come_apart_before_a_tunnel(rig: Rig, path: Path) -> None:
    path = alone(rig, replace(path, method=Method.TUNNEL))
    arrives = opened(rig, path).request(Shape(payload=DATA))
    run = rig.run(Hook.TC, arrives, gso_size=0xFFFF)
    assert (run.action, run.verdicts, run.frame) == (Action.REDIRECT, {"HOLD_FINISH": 1}, arrives)
    assert rig.run(Hook.TC, arrives).is_forwarded


@HOOKS
@EVERY_TUNNEL
def test_request_is_wrapped(rig: Rig, hook: Hook, path: Path) -> None:
    """SCTP's own checksum is no help for an outer one: that takes a walk over all bytes."""
    flow = opened(rig, path)
    shapes = SHAPES | (IPV6_SHAPES if path.is_ipv6 else IPV4_SHAPES)
    for shape in (*shapes.values(), Shape(payload=INIT + bytes(17), padding=b"pad")):
        arrives = flow.request(shape)
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, in_tunnel(path, arrives, run.frame))


@HOOKS
@EVERY_TUNNEL
def test_reply_that_passes_is_sent_on(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, path)
    run = rig.run(hook, flow.reply(Shape(payload=DATA)), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(Shape(payload=DATA)))


@HOOKS
@EVERY_PATH
def test_fragments(rig: Rig, hook: Hook, path: Path) -> None:
    """The checksum of the whole follows no port that changes, as no fragment knows the whole."""
    flow = opened(rig, path)
    first: dict[str, Any] = {"extensions": IPv6ExtHdrFragment(m=1)} if path.is_ipv6 else {"ip": {"flags": "MF"}}
    shape = Shape(payload=DATA, transport={"chksum": 0x12345678}, **first)
    run = rig.run(hook, flow.request(shape))
    if path.is_translated and path.virtual_port != path.server_port:
        assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_FRAGMENT": 1}, flow.request(shape))
    else:
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, flow.to_server(shape))


def test_fullnat_refuses(rig: Rig) -> None:
    with pytest.raises(NotBuilt, match="FullNAT does not forward SCTP"), rig.change() as table:
        table.add_server(SCTP4.key, RealServer(Address.parse("10.2.0.13"), 3868, Method.FULLNAT))
