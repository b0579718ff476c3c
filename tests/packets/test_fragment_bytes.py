# SPDX-License-Identifier: GPL-2.0-or-later
"""fragment.h: what leaves of a datagram in fragments is the datagram that must leave, cut at the same places."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.packet import Packet

from bpvs.model import Protocol
from tests.packets.datagrams import FAMILIES, LONG, PATHS, TCP6, forwards, in_fragments, serve, waits
from tests.packets.errors import answer
from tests.packets.frames import Path, Shape, difference, frame, opened
from tests.packets.pieces import cut, identified, piece
from tests.packets.rig import Action, Hook, Rig, mac
from tests.packets.tunnels import SUMMED, paths_of

pytestmark = pytest.mark.root

OUTER_SUMS = paths_of(SUMMED, 171, server=16)
UDP = {name: path for name, path in PATHS.items() if path.protocol is Protocol.UDP}
HOOKS = pytest.mark.parametrize("hook", Hook)
SENT = pytest.mark.parametrize("sent", ["request", "reply"])
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
EVERY_UDP = pytest.mark.parametrize("path", UDP.values(), ids=UDP)
EVERY_FAMILY = pytest.mark.parametrize("path", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    serve(rig, *OUTER_SUMS.values())


@HOOKS
@SENT
@EVERY_PATH
def test_each_fragment_leaves_as_its_part_of_the_whole(rig: Rig, hook: Hook, path: Path, sent: str) -> None:
    """Also later ones in any order, and once more. The first one has the checksum over all of them."""
    flow = opened(rig, hook, path)
    first, middle, last = in_fragments(flow, sent, LONG, rig.port())
    for arrives, leaves in (first, middle, last, middle):
        forwards(rig, hook, path, sent, arrives, leaves)


@HOOKS
@SENT
@EVERY_UDP
def test_no_checksum_stays_none(rig: Rig, hook: Hook, path: Path, sent: str) -> None:
    flow = opened(rig, hook, path)
    for arrives, leaves in in_fragments(flow, sent, replace(LONG, transport={"chksum": 0}), rig.port()):
        forwards(rig, hook, path, sent, arrives, leaves)


@HOOKS
@SENT
@EVERY_PATH
def test_options_in_every_fragment(rig: Rig, hook: Hook, path: Path, sent: str) -> None:
    options = {} if path.is_ipv6 else {"options": [IPOption_RR(length=39, routers=["0.0.0.0"] * 9)], "tos": 0xB9}
    before = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(20))]) if path.is_ipv6 else None
    flow = opened(rig, hook, path)
    for arrives, leaves in in_fragments(flow, sent, replace(LONG, ip=options, extensions=before), rig.port()):
        forwards(rig, hook, path, sent, arrives, leaves)


# what stands behind the fragment header, in the first fragment alone; each of them names only the first of these
HIDDEN = {
    "destination options": IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
    "both, behind hop-by-hop options": IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(segleft=0) / IPv6ExtHdrDestOpt(),
}


@HOOKS
@SENT
@pytest.mark.parametrize("headers", HIDDEN.values(), ids=HIDDEN)
@pytest.mark.parametrize("name", [name for name, path in PATHS.items() if path.is_ipv6])
def test_protocol_that_only_the_first_one_tells(rig: Rig, hook: Hook, name: str, headers: Packet, sent: str) -> None:
    """RFC 8200, 4.5: extension headers that need no router are divided with the rest."""
    path = PATHS[name]
    flow, shape = opened(rig, hook, path), replace(LONG, extensions=headers)
    first, middle, last = in_fragments(flow, sent, shape, rig.port())
    link = "front" if sent == "request" else "back"
    waits(rig, hook, last[0], link)
    for arrives, leaves in (first, last, middle):
        forwards(rig, hook, path, sent, arrives, leaves)


@HOOKS
def test_first_one_may_tell_a_protocol_that_is_not_balanced(rig: Rig, hook: Hook) -> None:
    """Then the others are left to the stack too, also one that waits already."""
    ident = rig.port()
    packet = IPv6(src=TCP6.client, dst=TCP6.virtual) / IPv6ExtHdrDestOpt() / ICMPv6EchoReply(data=bytes(2000))
    first, *later = cut(frame(mac(1, 2), mac(1, 1), packet), 1000, ident=ident)
    for arrives in later:
        waits(rig, hook, arrives)
    for arrives in (first, *later):
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NOT_TRANSPORT": 1}, arrives)
    back = rig.run_held(later[0], "front", waited=1)
    assert (back.action, back.verdicts, back.frame) == (Action.REDIRECT, {}, later[0])


@HOOKS
@EVERY_FAMILY
def test_atomic_fragment_is_a_whole_packet(rig: Rig, hook: Hook, path: Path) -> None:
    """IPv6 has packets with a fragment header that are none (RFC 6946); IPv4's have at most a number."""
    flow, shape = opened(rig, hook, path), Shape(flags="PA", payload=b"whole")
    for sent, way in (("request", (flow.request, flow.to_server)), ("reply", (flow.reply, flow.to_client))):
        if path.is_ipv6:
            (arrives,), (leaves,) = (cut(make(shape), ident=7) for make in way)
        else:
            arrives, leaves = (identified(make(shape), 7) for make in way)
        forwards(rig, hook, path, sent, arrives, leaves)


@HOOKS
@EVERY_FAMILY
def test_last_one_of_a_single_byte(rig: Rig, hook: Hook, path: Path) -> None:
    """Behind it Ethernet's padding."""
    ident = rig.port()
    flow = opened(rig, hook, path)
    first, *_ = in_fragments(flow, "request", LONG, ident)
    forwards(rig, hook, path, "request", *first)
    arrives, leaves = (
        piece(make(LONG), 2520, b"\xff", is_last=True, ident=ident) + bytes(25)
        for make in (flow.request, flow.to_server)
    )
    forwards(rig, hook, path, "request", arrives, leaves)


@HOOKS
@pytest.mark.parametrize("path", OUTER_SUMS.values(), ids=OUTER_SUMS)
def test_outer_checksum_of_each_fragment(rig: Rig, hook: Hook, path: Path) -> None:
    """It covers the fragment; what the inner checksum covers lies in others."""
    flow = opened(rig, hook, path)
    for arrives, leaves in in_fragments(flow, "request", LONG, rig.port()):
        forwards(rig, hook, path, "request", arrives, leaves)


@HOOKS
@pytest.mark.parametrize("name", ["tcp4 FULLNAT", "tcp6 FULLNAT"])
def test_server_is_told_the_client_by_the_next_whole_segment(rig: Rig, hook: Hook, name: str) -> None:
    """In a fragment an option would move the bytes behind it to where the next fragment begins."""
    flow = opened(rig, hook, PATHS[name])
    assert not flow.is_told
    for arrives, leaves in in_fragments(flow, "request", LONG, rig.port()):
        forwards(rig, hook, flow.path, "request", arrives, leaves)
    shape = Shape(flags="A")
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))


@HOOKS
@EVERY_FAMILY
def test_used_up_ttl_is_answered_once(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    first, *later = (arrives for arrives, _ in in_fragments(flow, "request", replace(LONG, ttl=1), rig.port()))
    run = rig.run(hook, first)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, first)
    else:
        quote = (48 if path.is_ipv6 else 20) + (20 if path.protocol is Protocol.TCP else 8)
        error = ICMPv6TimeExceeded() if path.is_ipv6 else ICMP(type=11)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TTL": 1})
        assert not difference(run.frame, answer(first, error, quote))
    for arrives in later:
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_TTL": 1}, arrives)


@HOOKS
@EVERY_FAMILY
def test_later_one_that_ends_before_its_data(rig: Rig, hook: Hook, path: Path) -> None:
    """Its length is less than its headers' (ip_rcv_core, ip6_rcv_core)."""
    ident = rig.port()
    flow = opened(rig, hook, path)
    first, (arrives, _), _ = in_fragments(flow, "request", LONG, ident)
    forwards(rig, hook, path, "request", *first)
    for length in (0, 7) if path.is_ipv6 else (0, 19):
        at = 14 + (4 if path.is_ipv6 else 2)
        broken = arrives[:at] + length.to_bytes(2, "big") + arrives[at + 2 :]
        run = rig.run(hook, broken)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_MALFORMED": 1}, broken)
