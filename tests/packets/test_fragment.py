# SPDX-License-Identifier: GPL-2.0-or-later
"""fragment.h: the fragments of a datagram go where its first one goes, and wait for it if they come before it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop

from bpvs.model import Method, Protocol, Tunnel, TunnelChecksum, TunnelType
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference, localised, opened
from tests.packets.listing import state_of, traffic
from tests.packets.pieces import pieces
from tests.packets.rig import Action, Hook, Rig, loaded
from tests.packets.tunnels import GUE_PORT, in_tunnel

pytestmark = pytest.mark.root

UDP4 = Path(CLIENT, "10.0.0.180", 80, "10.2.0.16", 8080, Protocol.UDP)
UDP6 = Path(CLIENT6, "fd00::180", 80, "fd02::16", 8080, Protocol.UDP)
ENDS = {"IPv4": UDP4, "IPv6": UDP6}
TCP = {f"tcp, {name}": replace(path, protocol=Protocol.TCP) for name, path in ENDS.items()}
ROUTE = {f"route, {n}": replace(p, virtual_port=81, server_port=81, method=Method.ROUTE) for n, p in ENDS.items()}
FULLNAT = {
    f"fullnat, {name}": replace(
        path, virtual_port=82, method=Method.FULLNAT, local="fd02::201" if path.is_ipv6 else "10.2.0.201"
    )
    for name, path in ENDS.items()
}
FULLNAT_TCP = {f"tcp {name}": replace(path, protocol=Protocol.TCP) for name, path in FULLNAT.items()}
KINDS = (Tunnel(), Tunnel(TunnelType.GUE, GUE_PORT, TunnelChecksum.FULL), Tunnel(TunnelType.GRE))
TUNNEL = {
    f"{tunnel.type.name.lower()}, {name}": replace(
        path, virtual_port=90 + number, server_port=90 + number, method=Method.TUNNEL, tunnel=tunnel
    )
    for name, path in ENDS.items()
    for number, tunnel in enumerate(KINDS)
}
TRANSLATED = ENDS | TCP | FULLNAT | FULLNAT_TCP
PATHS = TRANSLATED | ROUTE | TUNNEL
HOOKS = pytest.mark.parametrize("hook", Hook)
WHOLE = Shape(payload=bytes(range(250)) * 4)
SIZE = 400
WAIT_MS, COARSE_MS = 200, 10  # fragment.h's FRAGMENT_WAIT, and by how much its clock may be behind


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    paths = PATHS.values()
    rig.serve(*(path.row for path in paths), locals_=[local for path in paths for local in path.locals])


def expected(flow: Flow, shape: Shape, number: int, arrived: bytes, left: bytes, ident: int) -> bytes:
    """What a fragment must leave as."""
    if flow.path.method is Method.TUNNEL:
        return in_tunnel(flow.path, arrived, left)
    return pieces(flow.to_server(shape), SIZE, ident)[number]


@HOOKS
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_request_in_order(rig: Rig, hook: Hook, path: Path) -> None:
    """The first opens the connection; the others need only its ports."""
    flow, ident = Flow(path, rig.port()), rig.port()
    for number, piece in enumerate(pieces(flow.request(WHOLE), SIZE, ident)):
        run = rig.run(hook, piece)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        if number == 0 and path.method is Method.FULLNAT:
            flow = localised(flow, _whole_of(path, run.frame))
        assert not difference(run.frame, expected(flow, WHOLE, number, piece, run.frame, ident))


def _whole_of(path: Path, piece: bytes) -> bytes:
    """The fragment's headers as those of a packet that was not cut, for a parser that takes none apart."""
    if not path.is_ipv6:
        return piece[:20] + bytes(2) + piece[22:]
    return piece[:20] + piece[54:55] + piece[21:54] + piece[62:]


# the first of a datagram, and one that is whole in spite of its fragment header (RFC 6946)
FIRST = {
    "IPv4": (UDP4, Shape(ip={"flags": "MF", "id": 7}, payload=b"1")),
    "IPv6": (UDP6, Shape(extensions=IPv6ExtHdrFragment(m=1, id=7), payload=b"1")),
    "atomic": (UDP6, Shape(extensions=IPv6ExtHdrFragment(id=7), payload=b"1")),
    "behind options": (UDP6, Shape(extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=1))),
    "before options": (UDP6, Shape(extensions=IPv6ExtHdrFragment(m=1) / IPv6ExtHdrDestOpt(), payload=b"1")),
}


@HOOKS
@pytest.mark.parametrize(("path", "shape"), FIRST.values(), ids=FIRST)
def test_first_fragment_by_itself(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))


@HOOKS
@pytest.mark.parametrize("path", (TRANSLATED | ROUTE).values(), ids=TRANSLATED | ROUTE)
def test_reply_in_order(rig: Rig, hook: Hook, path: Path) -> None:
    flow, ident = opened(rig, hook, path), rig.port()
    shape = replace(WHOLE, flags="A")
    for piece, leaves in zip(
        pieces(flow.reply(shape), SIZE, ident), pieces(flow.to_client(shape), SIZE, ident), strict=True
    ):
        run = rig.run(hook, piece, "back")
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, leaves)


@HOOKS
@pytest.mark.parametrize("path", FULLNAT_TCP.values(), ids=FULLNAT_TCP)
def test_segment_in_fragments_tells_no_client(rig: Rig, hook: Hook, path: Path) -> None:
    """With an option more in the first, the later ones would lie in the wrong place."""
    flow, ident = opened(rig, hook, path), rig.port()
    shape = replace(WHOLE, flags="A")
    leaves = pieces(replace(flow, is_told=True).to_server(shape), SIZE, ident)
    for piece, left in zip(pieces(flow.request(shape), SIZE, ident), leaves, strict=True):
        assert not difference(rig.run(hook, piece).frame, left)


@HOOKS
@pytest.mark.parametrize("path", ENDS.values(), ids=ENDS)
def test_one_packet_is_counted(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    cut = pieces(flow.request(WHOLE), SIZE, rig.port())
    for piece in cut:
        rig.run_uncounted(hook, piece)
    assert traffic(path)[:4] == (1, 1, 0, sum(len(piece) - 14 for piece in cut))


@HOOKS
@pytest.mark.parametrize("path", TCP.values(), ids=TCP)
def test_later_fragments_change_no_state(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    for piece in pieces(flow.request(WHOLE), SIZE, rig.port()):
        rig.run_uncounted(hook, piece)
        assert state_of(flow) == "SYN_RECV"


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_later_one_waits_for_the_first(rig: Rig, path: Path) -> None:
    """In the siding of TC, unchanged; not for the first of another datagram."""
    flow, ident = opened(rig, Hook.TC, path), rig.port()
    first, late, last = pieces(flow.request(replace(WHOLE, flags="A")), SIZE, ident)
    rig.run_uncounted(Hook.TC, pieces(flow.request(replace(WHOLE, flags="A")), SIZE, ident ^ 0x8000)[0])
    early = rig.run(Hook.XDP, late)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, late)
    held = rig.run(Hook.TC, last)
    assert (held.action, held.verdicts, held.frame) == (Action.REDIRECT, {"HOLD_FRAGMENT": 1}, last)
    assert rig.run(Hook.XDP, first).is_forwarded
    for piece in (last, late):
        assert rig.run(Hook.XDP, piece).verdicts == {}


@pytest.mark.parametrize("path", ENDS.values(), ids=ENDS)
def test_siding_gives_it_back_or_up(rig: Rig, path: Path) -> None:
    flow, ident = opened(rig, Hook.TC, path), rig.port()
    first, late, _ = pieces(flow.request(WHOLE), SIZE, ident)
    again = rig.run_held(late, "front", waited=1)
    assert (again.action, again.verdicts, again.frame) == (Action.REDIRECT, {}, late)
    over = rig.run_held(late, "front", waited=WAIT_MS + COARSE_MS)
    assert (over.action, over.verdicts, over.frame) == (Action.DROP, {"DROP_FRAGMENT": 1}, late)
    rig.run_uncounted(Hook.TC, first)
    back = rig.run_held(late, "front", waited=WAIT_MS + COARSE_MS)
    assert (back.action, back.verdicts, back.frame) == (Action.REDIRECT, {}, late)


@HOOKS
@pytest.mark.parametrize("path", ENDS.values(), ids=ENDS)
def test_nobody_is_told_of_a_later_fragment(rig: Rig, hook: Hook, path: Path) -> None:
    """RFC 1122 3.2.2, RFC 792: errors are about first fragments only."""
    flow, ident = opened(rig, hook, path), rig.port()
    rig.run_uncounted(hook, pieces(flow.request(WHOLE), SIZE, ident)[0])
    late = pieces(flow.request(replace(WHOLE, ttl=1)), SIZE, ident)[1]
    run = rig.run(hook, late)
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_TTL": 1}, late)


@HOOKS
@pytest.mark.parametrize("path", ENDS.values(), ids=ENDS)
def test_fragments_of_others_are_left_to_the_stack(rig: Rig, hook: Hook, path: Path) -> None:
    for stranger in (Flow(replace(path, virtual_port=7), rig.port()), Flow(replace(path, protocol=Protocol.TCP), 20)):
        shape = replace(WHOLE, flags="A")
        for piece in pieces(stranger.request(shape), SIZE, rig.port()):
            run = rig.run(hook, piece)
            assert (run.action, run.frame) == (Action.PASS, piece)


def test_siding_is_there() -> None:
    """What the rows above rely on."""
    instance = loaded()
    assert instance.settings.load(0, "siding_wait") > 0
    assert instance.settings.load(0, "siding_done") > 0
