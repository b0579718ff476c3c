# SPDX-License-Identifier: GPL-2.0-or-later
"""leave.h, deliver(): a real server on the director gets its packets from the stack, which TC hands them to.

What it replies is met at TC egress (director.bpf.c, depart()), on its way to the client.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.model import Method, Protocol, Tunnel, TunnelType
from tests.packets.chunks import DATA, INIT
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import CLIENT, CLIENT6, LOCAL_MAC, Flow, Path, Shape, alone, difference
from tests.packets.listing import counts, server_status, state_of, traffic
from tests.packets.rig import Action, Hook, Rig, mac
from tests.packets.shapes import rows_for

pytestmark = pytest.mark.root

NAT4 = Path(CLIENT, "10.0.0.140", 80, "10.2.0.1", 8080)
NAT6 = Path(CLIENT6, "fd00::140", 80, "fd02::1", 8080)
ROUTE4 = replace(NAT4, virtual_port=81, server_port=81, method=Method.ROUTE)
ROUTE6 = replace(NAT6, virtual_port=81, server_port=81, method=Method.ROUTE)
TUNNEL4 = replace(NAT4, virtual_port=82, server_port=82, method=Method.TUNNEL, tunnel=Tunnel(TunnelType.IPIP))
TUNNEL6 = replace(NAT6, virtual_port=82, server_port=82, method=Method.TUNNEL, tunnel=Tunnel(TunnelType.IPIP))
TCP = {"nat4": NAT4, "nat6": NAT6, "route4": ROUTE4, "route6": ROUTE6, "tunnel4": TUNNEL4, "tunnel6": TUNNEL6}
UDP = {f"udp, {name}": replace(path, protocol=Protocol.UDP) for name, path in TCP.items()}
SCTP = {f"sctp, {name}": replace(path, protocol=Protocol.SCTP) for name, path in TCP.items()}
PATHS = TCP | UDP | SCTP
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
STATES = {Protocol.TCP: "SYN_RECV", Protocol.UDP: "UDP", Protocol.SCTP: "INIT1"}
ROWS = [
    *rows_for(TCP | UDP),
    *(pytest.param(path, Shape(payload=DATA), id=f"data, {which}") for which, path in SCTP.items()),
]


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def opening(path: Path, ttl: int = 64) -> Shape:
    return Shape(ttl=ttl, payload=INIT if path.protocol is Protocol.SCTP else b"to the director")


def opened(rig: Rig, path: Path) -> Flow:
    flow = Flow(path, rig.port())
    rig.run_uncounted(Hook.TC, flow.request(opening(path)))
    return flow


def about(path: Path) -> Error:
    """An error that uses up no hop; of SCTP's checksum inside nothing is made."""
    inner = replace(LONG, transport={"chksum": 0x12345678}) if path.protocol is Protocol.SCTP else LONG
    return Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, inner, ttl=(64, 64))


def delivered(flow: Flow, shape: Shape) -> bytes:
    """What the stack gets: the frame as it came, of NAT with the server's address and port; no hop is used up."""
    arrived = flow.request(shape)
    if not flow.path.is_translated:
        return arrived
    return arrived[:14] + flow.to_server(replace(shape, ttl=shape.ttl + 1))[14:]


@EVERY_PATH
def test_server_is_listed_as_local(path: Path) -> None:
    assert server_status(path).is_local


@pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE, Method.TUNNEL])
def test_server_elsewhere_is_not_local(rig: Rig, method: Method) -> None:
    path = alone(rig, replace(NAT4, server="10.2.0.14", method=method))
    assert not server_status(path).is_local


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("ttl", [1, 64])
def test_request_is_handed_to_the_stack(rig: Rig, hook: Hook, path: Path, ttl: int) -> None:
    """By TC; XDP leaves it as it came."""
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    arrives = flow.request(opening(path, ttl))
    run = rig.run(hook, arrives)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts) == (Action.PASS, {})
    assert not difference(run.frame, delivered(flow, opening(path, ttl)))
    assert traffic(path)[:3] == (1, 1, 0)
    assert state_of(flow) == STATES[path.protocol]
    assert counts(path) == ((1, 0) if path.protocol is Protocol.TCP else (0, 1))


@EVERY_PATH
def test_request_larger_than_any_link_is_delivered(rig: Rig, path: Path) -> None:
    flow = opened(rig, path)
    shape = Shape(payload=DATA + bytes(2000))
    run = rig.run(Hook.TC, flow.request(shape))
    assert run.action is Action.PASS
    assert not difference(run.frame, delivered(flow, shape))


@EVERY_PATH
def test_error_about_a_reply_is_handed_to_the_stack(rig: Rig, path: Path) -> None:
    flow = opened(rig, path)
    arrives, leaves = about(path).to_server(flow)
    early = rig.run(Hook.XDP, arrives)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    late = rig.run(Hook.TC, arrives)
    assert (late.action, late.verdicts) == (Action.PASS, {})
    assert not difference(late.frame, arrives[:14] + leaves[14:])


@EVERY_PATH
def test_reply_that_comes_in_by_a_link_is_left_alone(rig: Rig, path: Path) -> None:
    """The server's own replies are met where they are sent; a frame of that kind from outside is not one of them."""
    flow = opened(rig, path)
    reply = flow.reply(Shape(flags="SA", payload=DATA))
    late = rig.run(Hook.TC, reply, "back")
    assert (late.action, late.verdicts, late.frame) == (Action.PASS, {"PASS_LOCAL_REPLY": 1}, reply)
    early = rig.run(Hook.XDP, reply, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, reply)


def departed(rig: Rig, path: Path, sent: bytes, leaves: bytes) -> None:
    """TC egress makes of what the director sends to the client what must leave, and touches no frame's addresses."""
    link, ends = ("lo", (LOCAL_MAC, LOCAL_MAC)) if is_own(path) else ("front", (mac(1, 2), mac(1, 1)))
    header = bytes.fromhex("".join(ends).replace(":", ""))
    run = rig.run_departing(header + sent[12:], link)
    assert (run.action, run.verdicts) == (Action.PASS, {})
    assert not difference(run.frame, header + leaves[12:])


def is_own(path: Path) -> bool:
    """Whether the client is on the director."""
    return path.client in ("10.1.0.1", "fd01::1")


@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_leaves_as_the_service(rig: Rig, path: Path, shape: Shape) -> None:
    """No hop is used up: the stack sends it."""
    flow = opened(rig, path)
    departed(rig, path, flow.reply(shape), replace(flow, is_local=True).to_client(shape))


@EVERY_PATH
def test_reply_is_counted(rig: Rig, path: Path) -> None:
    flow, before = opened(rig, path), traffic(path)
    reply = flow.reply(Shape(flags="SA", payload=DATA))
    departed(rig, path, reply, replace(flow, is_local=True).to_client(Shape(flags="SA", payload=DATA)))
    assert traffic(path)[2] == before[2] + 1
    assert traffic(path)[4] == before[4] + len(reply) - 14


@EVERY_PATH
def test_reply_to_a_client_on_the_director(rig: Rig, path: Path) -> None:
    """On `lo` it is seen twice: finished where it is sent, and left alone where it comes in."""
    path = replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1")
    flow = Flow(path, rig.port(), is_local=True)
    rig.run_uncounted(Hook.TC, flow.request(opening(path)), "lo")
    shape = Shape(flags="SA", payload=DATA)
    departed(rig, path, flow.reply(shape), flow.to_client(shape))
    again = rig.run(Hook.TC, flow.to_client(shape), "lo")
    verdict = "PASS_NO_SERVICE" if path.is_translated else "PASS_LOCAL_REPLY"
    assert (again.action, again.verdicts, again.frame) == (Action.PASS, {verdict: 1}, flow.to_client(shape))


@EVERY_PATH
def test_error_of_the_server_leaves_as_the_service_s(rig: Rig, path: Path) -> None:
    departed(rig, path, *about(path).to_client(opened(rig, path)))


@EVERY_PATH
def test_what_else_the_director_sends_is_left_alone(rig: Rig, path: Path) -> None:
    flow = opened(rig, path)
    for stranger in (Flow(path, rig.port()), Flow(replace(path, server_port=9, virtual_port=9), flow.port)):
        packet = stranger.reply(Shape(flags="SA", payload=DATA))
        departed(rig, path, packet, packet)
