# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/route.h: direct routing changes the frame's addresses and TTL, nothing else, and knows replies that pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig, ICMPv6TimeExceeded

from bpvs.model import Method, Protocol
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error, answer
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import counts, state_of, traffic
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig, mac
from tests.packets.shapes import rows_for
from tests.property.ipvs_model import ACTIVE

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.120", 80, "10.2.0.11", 80, method=Method.ROUTE)
TCP6 = Path(CLIENT6, "fd00::120", 80, "fd02::11", 80, method=Method.ROUTE)
PATHS = {
    "tcp4": TCP4,
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}
ROWS = rows_for(PATHS)
NARROW = replace(TCP4, virtual_port=81, server_port=81, server="10.3.0.11", link=3)
NARROW6 = replace(TCP6, virtual_port=81, server_port=81, server="fd03::11", link=3)
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
BOTH = pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in (*PATHS.values(), NARROW, NARROW6)))


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_goes_to_the_server(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    arrives = flow.request(shape)
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))
    header = 40 if path.is_ipv6 else 20
    assert run.frame[14 + header :] == arrives[14 + header :]


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_that_passes_is_sent_on(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@HOOKS
@EVERY_PATH
def test_traffic_of_both_directions_is_counted(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    size = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20) + 7
    rig.run_uncounted(hook, flow.request(Shape(payload=bytes(7))))
    assert traffic(path) == (1, 1, 0, size, 0)
    rig.run_uncounted(hook, flow.reply(Shape(payload=bytes(7))), "back")
    rig.run_uncounted(hook, flow.reply(Shape(payload=bytes(7), padding=b"pad")), "back")
    assert traffic(path) == (1, 1, 2, size, 2 * size)
    assert counts(path) == ((1, 0) if path.protocol is Protocol.TCP else (0, 1))


@HOOKS
@EVERY_PATH
def test_packet_of_the_server_that_is_no_reply(rig: Rig, hook: Hook, path: Path) -> None:
    """Another client port, the server's own address: nobody asked for it."""
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    strangers = (Flow(path, rig.port()), Flow(replace(path, virtual=path.server), flow.port))
    for stranger in strangers:
        reply = stranger.reply(Shape(flags="SA"))
        run = rig.run(hook, reply, "back")
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, reply)


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("ttl", [0, 1])
def test_used_up_ttl(rig: Rig, hook: Hook, path: Path, ttl: int) -> None:
    """Who sent the packet is told from the address that it was for; a reply's sender too."""
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    error = ICMPv6TimeExceeded() if path.is_ipv6 else ICMP(type=11)
    for arrives, link in ((flow.request(Shape(ttl=ttl)), "front"), (flow.reply(Shape(ttl=ttl)), "back")):
        run = rig.run(hook, arrives, link)
        if hook is Hook.XDP:
            assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
            continue
        assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TTL": 1})
        assert not difference(run.frame, answer(arrives, error))


@HOOKS
@pytest.mark.parametrize("path", [NARROW, NARROW6], ids=["IPv4", "IPv6"])
def test_mtu_of_the_way_to_the_server(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    headers = 60 if path.is_ipv6 else 40
    shape = Shape(payload=bytes(NARROW_MTU - headers), ip={} if path.is_ipv6 else {"flags": "DF"})
    rig.run_uncounted(hook, flow.request(Shape()))
    fits = rig.run(hook, flow.request(shape))
    assert (fits.action, fits.verdicts) == (Action.REDIRECT, {})
    assert not difference(fits.frame, flow.to_server(shape))
    arrives = flow.request(replace(shape, payload=bytes(NARROW_MTU - headers + 1)))
    run = rig.run(hook, arrives)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        return
    error = ICMPv6PacketTooBig(mtu=NARROW_MTU) if path.is_ipv6 else ICMP(type=3, code=4, nexthopmtu=NARROW_MTU)
    assert run.verdicts == {"DROP_TOO_BIG": 1}
    assert not difference(run.frame, answer(arrives, error))


@HOOKS
@BOTH
def test_link_that_does_not_forward(rig: Rig, hook: Hook, path: Path) -> None:
    """IPVS sends requests of DR as the host's own; replies that pass are forwarded as any router would."""
    flow = Flow(alone(rig, path), rig.port())
    closed = bytes.fromhex((mac(4, 1) + mac(4, 2)).replace(":", ""))
    run = rig.run(hook, closed + flow.request(Shape())[12:], "closed")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(Shape()))
    reply = closed + flow.reply(Shape())[12:]
    back = rig.run(hook, reply, "closed")
    assert (back.action, back.verdicts, back.frame) == (Action.DROP, {"DROP_NOT_FORWARDING": 1}, reply)


ERRORS4 = (
    ("port unreachable", Error(UNREACHABLE, LONG)),
    ("fragmentation needed from a router", Error(ICMP(type=3, code=4, nexthopmtu=1400), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE, LONG, 28)),
    ("padding of Ethernet", Error(UNREACHABLE, LONG, outer=Shape(padding=b"\1\2\3"))),
)
ERRORS6 = (
    ("port unreachable", Error(UNREACHABLE6, LONG)),
    ("too big from a router", Error(ICMPv6PacketTooBig(mtu=1280), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE6, LONG, 48)),
)
ERROR_ROWS = [
    pytest.param(path, error, id=f"{name}, {which}")
    for which, path in PATHS.items()
    for name, error in (ERRORS6 if path.is_ipv6 else ERRORS4)
]


@HOOKS
@pytest.mark.parametrize(("path", "error"), ERROR_ROWS)
def test_errors_pass_unchanged_both_ways(rig: Rig, hook: Hook, path: Path, error: Error) -> None:
    """About a reply to the server, about a request to the client; counted, but the connection stays as it was."""
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    before = state_of(flow), counts(path)
    for (arrives, leaves), link in ((error.to_server(flow), "front"), (error.to_client(flow), "back")):
        run = rig.run(hook, arrives, link)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, leaves)
    assert traffic(path)[:3] == (1, 2, 1)
    assert (state_of(flow), counts(path)) == before


# by the connection's state: states that conversations of which only the client is seen pass through
ONE_WAY = (
    ("cS cA cFA cA", "SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT"),
    ("cS cA cR", "SYN_RECV ESTABLISHED CLOSE"),
    ("cS cF", "SYN_RECV TIME_WAIT"),
    ("cS cA cFA sFA cA", "SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT FIN_WAIT"),
    ("cS sSA cA cFA sFA", "SYN_RECV SYN_RECV ESTABLISHED CLOSE_WAIT TIME_WAIT"),
    ("cS sRA", "SYN_RECV CLOSE"),
)


@HOOKS
@BOTH
@pytest.mark.parametrize(("words", "states"), ONE_WAY, ids=[words for words, _ in ONE_WAY])
def test_conversations(rig: Rig, hook: Hook, path: Path, words: str, states: str) -> None:
    """As recorded of IPVS with DR: until a reply was seen the client's segments alone decide."""
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    for word, state in zip(words.split(), states.split(), strict=True):
        shape = Shape(flags=word[1:])
        frame, link = (flow.request(shape), "front") if word[0] == "c" else (flow.reply(shape), "back")
        assert rig.run_uncounted(hook, frame, link)[0] is Action.REDIRECT
        assert state_of(flow) == state, word
        assert counts(path) == ((1, 0) if state in ACTIVE else (0, 1))


@HOOKS
def test_connection_of_a_removed_server_takes_only_replies(rig: Rig, hook: Hook) -> None:
    path = alone(rig, TCP4)
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    key, server = path.row
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)
    request, reply = Shape(flags="A"), Shape(flags="SA")
    run = rig.run(hook, flow.request(request))
    assert (run.action, run.verdicts, run.frame) == (
        Action.DROP,
        {"DROP_SERVER_REMOVED": 1},
        flow.request(request),
    )
    assert not difference(rig.run(hook, flow.reply(reply), "back").frame, flow.to_client(reply))
