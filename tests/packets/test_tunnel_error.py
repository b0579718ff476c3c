# SPDX-License-Identifier: GPL-2.0-or-later
"""tunnel_error.h: ICMP errors about a tunnel's outer packet become ones about the client's packet inside.

The director sent the outer packet, so it gets the error; the client can do something about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic_ns

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6
from scapy.packet import Packet, Raw

from bpvs.model import Method, Protocol
from bpvs.model.server import NO_TUNNEL
from tests.packets.frames import Flow, Path, Shape, alone, difference, frame, opened
from tests.packets.listing import row_of
from tests.packets.rig import Action, Hook, Rig, loaded, mac
from tests.packets.tunnels import PLAIN, SUMMED, overhead_of, paths_of

pytestmark = pytest.mark.root

PATHS = paths_of(PLAIN | SUMMED, 195, server=17)
UDP = {name: path for name, path in PATHS.items() if path.protocol is Protocol.UDP}
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
EVERY_TUNNEL = pytest.mark.parametrize("path", UDP.values(), ids=UDP)
HOOKS = pytest.mark.parametrize("hook", Hook)

ETHERNET, LINK_MTU = 14, 1500
FAR_MTU = 1400
KEPT_MS = 600_000
COARSE_MS = 2000
LEAST_MTU = 576  # below it nothing is believed
WHOLE = 10_000
SENT = Shape(flags="PA", ttl=61, payload=bytes(range(200)))

# name, the error in IPv4 and in IPv6 as it arrives, the one that the client gets, likewise
UNREACHABLE = ICMP(type=3, code=1), ICMPv6DestUnreach(code=3)
EXPIRED = ICMP(type=11), ICMPv6TimeExceeded()
ERRORS = (
    ("host unreachable", (ICMP(type=3, code=1), ICMPv6DestUnreach(code=3)), UNREACHABLE),
    ("no route", (ICMP(type=3, code=0), ICMPv6DestUnreach(code=0)), UNREACHABLE),
    ("protocol unreachable", (ICMP(type=3, code=2), ICMPv6ParamProblem(code=1, ptr=6)), UNREACHABLE),
    ("port unreachable", (ICMP(type=3, code=3), ICMPv6DestUnreach(code=4)), UNREACHABLE),
    ("prohibited", (ICMP(type=3, code=13), ICMPv6DestUnreach(code=1)), UNREACHABLE),
    ("time exceeded", (ICMP(type=11), ICMPv6TimeExceeded()), EXPIRED),
)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def is_outside_ipv6(path: Path) -> bool:
    return ":" in path.server


def sent(rig: Rig, path: Path, shape: Shape = SENT) -> tuple[Flow, bytes]:
    """A flow, and the outer packet that a packet of its client's left in."""
    flow = opened(rig, Hook.TC, path)
    if not path.is_ipv6 and not shape.ip:
        shape = replace(shape, ip={"flags": "DF"})
    run = rig.run(Hook.TC, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    return flow, run.frame[ETHERNET:]


def about(path: Path, outer: bytes, error: tuple[Packet, Packet], size: int = WHOLE) -> bytes:
    """The error as a router sends it to the director, with so many bytes of the outer packet."""
    if is_outside_ipv6(path):
        packet = IPv6(src="fd02::254", dst="fd02::1") / error[1] / Raw(outer[:size])
    else:
        packet = IP(src="10.2.0.254", dst="10.2.0.1") / error[0] / Raw(outer[:size])
    return frame(mac(2, 18), mac(2, 1), packet)


@EVERY_PATH
def test_a_client_on_the_director_is_told_by_lo(rig: Rig, path: Path) -> None:
    path = replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1")
    flow = Flow(path, rig.port(), is_local=True)
    run = rig.run(Hook.TC, flow.request(replace(SENT, flags="S")), "lo")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    outer = run.frame[ETHERNET:]
    expected = told(flow, outer, UNREACHABLE)
    tells(rig, about(path, outer, UNREACHABLE), bytes(12) + expected[12:])


def too_big(mtu: int) -> tuple[Packet, Packet]:
    return ICMP(type=3, code=4, nexthopmtu=mtu), ICMPv6PacketTooBig(mtu=mtu)


def told(flow: Flow, outer: bytes, error: tuple[Packet, Packet]) -> bytes:
    """What the client must get: an error about its packet, with the header and 8 bytes as they were in the tunnel."""
    path = flow.path
    quote = Raw(outer[overhead_of(path) :][: (40 if path.is_ipv6 else 20) + 8])
    if path.is_ipv6:
        packet = IPv6(src=path.virtual, dst=path.client) / error[1] / quote
    else:
        packet = IP(src=path.virtual, dst=path.client, tos=0xC0, id=0) / error[0] / quote
    return frame(mac(1, 1), mac(1, 2), packet)


def tells(rig: Rig, arrives: bytes, expected: bytes) -> None:
    run = rig.run(Hook.TC, arrives, "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_TUNNEL": 1})
    assert not difference(run.frame, expected)


def stays(rig: Rig, arrives: bytes) -> None:
    """The error is not the director's to answer: the stack gets it as it came."""
    run = rig.run(Hook.TC, arrives, "back")
    (verdict,) = run.verdicts
    assert verdict in ("PASS_NOT_TRANSPORT", "PASS_NO_SERVICE", "PASS_MALFORMED")
    assert (run.action, run.frame) == (Action.PASS, arrives)


@contextmanager
def remembered(flow: Flow) -> Iterator[int]:
    """The server's row of `dests`, whose path MTU is forgotten afterwards."""
    instance = loaded()
    dest: int = instance.conns.load(row_of(flow), "dest")
    try:
        yield dest
    finally:
        instance.dests.store(dest, "path_mtu", 0)


@EVERY_PATH
@pytest.mark.parametrize(("error", "leaves"), [pytest.param(*row, id=name) for name, *row in ERRORS])
def test_the_client_is_told(rig: Rig, path: Path, error: tuple[Packet, Packet], leaves: tuple[Packet, Packet]) -> None:
    flow, outer = sent(rig, path)
    with remembered(flow) as dest:
        tells(rig, about(path, outer, error), told(flow, outer, leaves))
        assert loaded().dests.load(dest, "path_mtu") == 0


@pytest.mark.parametrize("name", [name for name, path in UDP.items() if path.is_ipv6 == (":" in path.server)])
def test_the_last_tunnel_s_clients_are_told_after_its_server_was_edited(rig: Rig, name: str) -> None:
    """Their connections go on through the tunnel."""
    path = alone(rig, UDP[name])
    flow, outer = sent(rig, path)
    key, server = path.row
    with rig.change() as table:
        table.edit_server(key, replace(server, method=Method.ROUTE, tunnel=NO_TUNNEL))
    tells(rig, about(path, outer, UNREACHABLE), told(flow, outer, UNREACHABLE))


@EVERY_PATH
def test_least_that_leads_to_the_client(rig: Rig, path: Path) -> None:
    """The headers of the tunnel, the client's IP header and its ports, up to 8 bytes; not a byte less."""
    flow, outer = sent(rig, path)
    least = overhead_of(path) + (40 if path.is_ipv6 else 20) + 8
    stays(rig, about(path, outer, UNREACHABLE, least - 1))
    tells(rig, about(path, outer, UNREACHABLE, least), told(flow, outer, UNREACHABLE))


@EVERY_PATH
def test_too_big_is_told_and_remembered(rig: Rig, path: Path) -> None:
    room = FAR_MTU - overhead_of(path)
    flow, outer = sent(rig, path)
    headers = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    large = Shape(flags="A", payload=bytes(room + 1 - headers), ip={} if path.is_ipv6 else {"flags": "DF"})
    fits = replace(large, payload=large.payload[1:])
    before = rig.run(Hook.TC, flow.request(large))
    assert before.verdicts == {}
    with remembered(flow) as dest:
        tells(rig, about(path, outer, too_big(FAR_MTU)), told(flow, outer, too_big(room)))
        dests = loaded().dests
        assert dests.load(dest, "path_mtu") == FAR_MTU
        left = (dests.load(dest, "path_mtu_until") - (monotonic_ns() >> 20)) % 2**32
        assert KEPT_MS - COARSE_MS <= left <= KEPT_MS + COARSE_MS
        assert rig.run(Hook.TC, flow.request(large)).verdicts == {"DROP_TOO_BIG": 1}
        assert rig.run(Hook.TC, flow.request(fits)).verdicts == {}


@EVERY_TUNNEL
@pytest.mark.parametrize("mtu", [0, LEAST_MTU - 1])
def test_no_smaller_mtu_is_believed(rig: Rig, path: Path, mtu: int) -> None:
    """0: routers that know no path MTU discovery."""
    flow, outer = sent(rig, path)
    with remembered(flow) as dest:
        expected = told(flow, outer, too_big(LEAST_MTU - overhead_of(path)))
        tells(rig, about(path, outer, too_big(mtu)), expected)
        assert loaded().dests.load(dest, "path_mtu") == LEAST_MTU


@pytest.mark.parametrize("name", [name for name, path in PATHS.items() if not path.is_ipv6])
def test_too_big_is_no_news_to_a_client_that_lets_others_cut(rig: Rig, name: str) -> None:
    """But the director remembers it: it cuts."""
    flow, outer = sent(rig, PATHS[name], replace(SENT, ip={"id": 7}))
    with remembered(flow) as dest:
        run = rig.run(Hook.TC, about(flow.path, outer, too_big(FAR_MTU)), "back")
        assert (run.action, run.verdicts) == (Action.DROP, {"ANSWER_TUNNEL": 1})
        assert loaded().dests.load(dest, "path_mtu") == FAR_MTU


@EVERY_TUNNEL
def test_quote_of_8_bytes_is_too_short(rig: Rig, path: Path) -> None:
    _, outer = sent(rig, path)
    stays(rig, about(path, outer, UNREACHABLE, (40 if is_outside_ipv6(path) else 20) + 8))


@EVERY_PATH
def test_tunnel_of_somebody_else(rig: Rig, path: Path) -> None:
    """Its far end is none of the connection's server, or nobody knows the connection inside."""
    _, outer = sent(rig, path)
    other = bytearray(outer)
    end = 40 if is_outside_ipv6(path) else 20
    other[end - 1] += 1
    stays(rig, about(path, bytes(other), too_big(FAR_MTU)))
    unknown = bytearray(outer)
    ports = overhead_of(path) + (40 if path.is_ipv6 else 20)
    unknown[ports : ports + 2] = rig.port().to_bytes(2, "big")
    stays(rig, about(path, bytes(unknown), too_big(FAR_MTU)))


@EVERY_TUNNEL
def test_a_reply_inside_was_never_the_director_s(rig: Rig, path: Path) -> None:
    flow, outer = sent(rig, path)
    reply = flow.packet(SENT, path.virtual, path.virtual_port, path.client, flow.port)
    stays(rig, about(path, outer[: overhead_of(path)] + bytes(reply), UNREACHABLE))


@EVERY_TUNNEL
def test_xdp_leaves_it_to_tc(rig: Rig, path: Path) -> None:
    _, outer = sent(rig, path)
    arrives = about(path, outer, UNREACHABLE)
    run = rig.run(Hook.XDP, arrives, "back")
    assert (run.action, run.frame) == (Action.PASS, arrives)
    assert "ANSWER_TUNNEL" not in run.verdicts
