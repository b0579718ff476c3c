# SPDX-License-Identifier: GPL-2.0-or-later
"""translate.h, pieces.h: fragments between an IPv6 client and an IPv4 server, and replies that have to become some."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.packet import Raw

from bpvs.model import Protocol
from tests.packets.between import LINK_MTU, PATHS, answered, behind, in_ipv6
from tests.packets.datagrams import waits
from tests.packets.frames import Flow, Path, Shape, difference, frame, opened
from tests.packets.pieces import cut, piece
from tests.packets.rig import Action, Hook, Rig, mac

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
SENT = pytest.mark.parametrize("sent", ["request", "reply"])
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
LINKS = {"request": "front", "reply": "back"}
LONG = Shape(flags="PA", payload=bytes((7 * place) % 251 for place in range(2501)))
PLACES = (1000, 1608)
ADDED = 28  # bytes by which the headers of a fragment are longer in IPv6
HEADER, UNIT = 20, 8
TTL, FAR_MTU = 60, 1300
ROOM = (LINK_MTU - ADDED - HEADER) // UNIT * UNIT  # bytes behind the header of a piece that just becomes IPv6


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()), locals_=[one for path in PATHS.values() for one in path.locals])


def parts(flow: Flow, sent: str, shape: Shape, ident: int) -> list[tuple[bytes, bytes]]:
    """Each fragment as it arrives, and as it must leave; of IPv6's 32 bits of the number IPv4 has the lower ones."""
    tos = shape.ip.get("tc", 0)
    there = behind(flow)
    if sent == "request":
        whole, left, leaves_as = flow.request(shape), there.to_server(replace(shape, ip={"tos": tos})), ident & 0xFFFF
    else:
        whole, left, leaves_as = there.reply(replace(shape, ip={"tos": tos})), flow.to_client(shape), ident
    return list(zip(cut(whole, *PLACES, ident=ident), cut(left, *PLACES, ident=leaves_as), strict=True))


def goes(rig: Rig, hook: Hook, arrives: bytes, link: str, leaves: bytes) -> None:
    run = rig.run(hook, arrives, link)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, leaves)


@HOOKS
@SENT
@EVERY_PATH
@pytest.mark.parametrize("fields", [{}, {"tc": 0xB9}], ids=["plain", "traffic class"])
def test_each_fragment_becomes_one(rig: Rig, hook: Hook, path: Path, sent: str, fields: dict[str, Any]) -> None:
    """The checksum in the first covers them all. One that comes too early waits; later ones come in any order."""
    flow = answered(rig, hook, opened(rig, hook, path))
    ident = rig.port() | (0xABCD0000 if sent == "request" else 0)
    first, middle, last = parts(flow, sent, replace(LONG, ip=fields), ident)
    waits(rig, hook, last[0], LINKS[sent])
    for arrives, leaves in (first, last, middle):
        goes(rig, hook, arrives, LINKS[sent], leaves)


@HOOKS
@EVERY_PATH
def test_first_fragment_opens_the_connection(rig: Rig, hook: Hook, path: Path) -> None:
    """Of TCP it is a SYN with data."""
    flow = Flow(path, rig.port())
    first, middle, last = cut(flow.request(replace(LONG, flags="S")), *PLACES, ident=rig.port())
    for arrives in (first, middle, last):
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})


@HOOKS
@EVERY_PATH
def test_atomic_fragment(rig: Rig, hook: Hook, path: Path) -> None:
    """A whole packet with a fragment header has its number in IPv4 too, and may be cut there (RFC 7915, 5.1.1)."""
    flow = answered(rig, hook, opened(rig, hook, path))
    shape = Shape(flags="PA", payload=b"whole")
    arrives = flow.request(replace(shape, extensions=IPv6ExtHdrFragment(id=0x12345)))
    goes(rig, hook, arrives, "front", behind(flow).to_server(replace(shape, ip={"id": 0x2345})))


@HOOKS
@EVERY_PATH
def test_other_headers_behind_the_fragment_header(rig: Rig, hook: Hook, path: Path) -> None:
    """They have no counterpart, in none of the fragments."""
    flow = answered(rig, hook, opened(rig, hook, path))
    for arrives in cut(flow.request(replace(LONG, extensions=IPv6ExtHdrDestOpt())), *PLACES, ident=rig.port()):
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts) == (Action.DROP, {"DROP_UNTRANSLATABLE": 1})


@HOOKS
def test_first_fragment_of_a_reply_without_udp_checksum(rig: Rig, hook: Hook) -> None:
    flow = opened(rig, hook, PATHS["udp"])
    arrives = cut(behind(flow).reply(replace(LONG, transport={"chksum": 0})), *PLACES, ident=rig.port())
    run = rig.run(hook, arrives[0], "back")
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_UNTRANSLATABLE": 1})


def sized(path: Path, length: int, ident: int) -> Shape:
    """A reply that may be cut, of so many bytes behind its IP header."""
    transport = 8 if path.protocol is Protocol.UDP else 20
    return Shape(flags="PA", payload=LONG.payload[: length - transport], ip={"id": ident})


def left(flow: Flow, shape: Shape, begin: int, end: int, is_last: bool) -> bytes:
    """These bytes of the reply as the client must get them."""
    whole = flow.to_client(in_ipv6(shape))
    return piece(whole, begin, whole[54 + begin : 54 + end], is_last, shape.ip["id"])


@EVERY_PATH
def test_long_reply_that_may_be_cut_is_cut(rig: Rig, path: Path) -> None:
    """In the siding, before it becomes IPv6, which nobody cuts on its way."""
    flow = answered(rig, Hook.TC, opened(rig, Hook.TC, path))
    whole = LINK_MTU - HEADER
    shape = sized(path, whole, rig.port())
    arrives = behind(flow).reply(shape)
    early = rig.run(Hook.XDP, arrives, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    held = rig.run(Hook.TC, arrives, "back")
    assert (held.action, held.verdicts, held.frame) == (Action.REDIRECT, {"HOLD_FINISH": 1}, arrives)
    for begin, end in pairwise((0, ROOM, whole)):
        run = rig.run_finished(arrives, "back", is_rest=begin > 0)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, left(flow, shape, begin, end, end == whole))


@EVERY_PATH
def test_reply_that_just_fits_stays_whole(rig: Rig, path: Path) -> None:
    flow = answered(rig, Hook.TC, opened(rig, Hook.TC, path))
    shape = sized(path, LINK_MTU - 40, rig.port())
    goes(rig, Hook.TC, behind(flow).reply(shape), "back", flow.to_client(in_ipv6(shape)))


@EVERY_PATH
def test_long_fragment_of_a_reply_is_cut_again(rig: Rig, path: Path) -> None:
    """Only the last piece of the last fragment is the datagram's last."""
    flow = answered(rig, Hook.TC, opened(rig, Hook.TC, path))
    place, length, ident = LINK_MTU - HEADER, 2520, rig.port()
    shape = sized(path, length, ident)
    for begin, end, arrives in zip(
        (0, place), (place, length), cut(behind(flow).reply(shape), place, ident=ident), strict=True
    ):
        if end == length:
            goes(rig, Hook.TC, arrives, "back", left(flow, shape, begin, end, is_last=True))
            continue
        assert rig.run(Hook.TC, arrives, "back").verdicts == {"HOLD_FINISH": 1}
        for start, stop in pairwise((begin, begin + ROOM, end)):
            run = rig.run_finished(arrives, "back", is_rest=start > begin)
            assert (run.action, run.verdicts) == (Action.REDIRECT, {})
            assert not difference(run.frame, left(flow, shape, start, stop, is_last=False))


@HOOKS
@EVERY_PATH
def test_server_is_told_the_room_that_its_fragments_have(rig: Rig, hook: Hook, path: Path) -> None:
    """Of what a router on the client's side had no room for: the header of a fragment is longer by 28 bytes."""
    flow = answered(rig, hook, opened(rig, hook, path))
    there, shape = behind(flow), Shape(flags="PA", payload=bytes(400), ttl=TTL)
    theirs = flow.packet(
        replace(shape, extensions=IPv6ExtHdrFragment(m=1, id=7)),
        *(path.virtual, path.virtual_port, path.client, flow.port),
    )
    src, sport, dst, dport = there.at_server
    ours = there.packet(replace(shape, ip={"flags": "DF", "id": 0}), dst, dport, src, sport)
    kept = Raw(bytes(raw(ours))[: HEADER + 4] + bytes(raw(theirs))[52:56])  # ports, and 4 bytes as they arrived
    asked = IPv6(src="fd01::254", dst=path.virtual, hlim=TTL) / ICMPv6PacketTooBig(mtu=FAR_MTU) / theirs
    told = IP(src=path.local, dst=path.server, ttl=TTL - 1, flags="DF", id=0)
    told /= ICMP(type=3, code=4, nexthopmtu=FAR_MTU - ADDED) / kept
    leaves = frame(mac(2, 1), path.server_mac, told)
    goes(rig, hook, frame(mac(1, 2), mac(1, 1), asked), "front", leaves)
