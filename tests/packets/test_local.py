# SPDX-License-Identifier: GPL-2.0-or-later
"""leave.h, deliver(): a real server on the director gets its packets from the stack, which TC hands them to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.model import Method, Protocol, Tunnel, TunnelType
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import counts, server_status, state_of, traffic
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

NAT4 = Path(CLIENT, "10.0.0.140", 80, "10.2.0.1", 8080)
NAT6 = Path(CLIENT6, "fd00::140", 80, "fd02::1", 8080)
ROUTE4 = replace(NAT4, virtual_port=81, server_port=81, method=Method.ROUTE)
ROUTE6 = replace(NAT6, virtual_port=81, server_port=81, method=Method.ROUTE)
TUNNEL4 = replace(NAT4, virtual_port=82, server_port=82, method=Method.TUNNEL, tunnel=Tunnel(TunnelType.IPIP))
TUNNEL6 = replace(NAT6, virtual_port=82, server_port=82, method=Method.TUNNEL, tunnel=Tunnel(TunnelType.IPIP))
TCP = {"nat4": NAT4, "nat6": NAT6, "route4": ROUTE4, "route6": ROUTE6, "tunnel4": TUNNEL4, "tunnel6": TUNNEL6}
UDP = {f"udp, {name}": replace(path, protocol=Protocol.UDP) for name, path in TCP.items()}
PATHS = TCP | UDP
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


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


@EVERY_PATH
@pytest.mark.parametrize("ttl", [1, 64])
def test_request_is_handed_to_the_stack(rig: Rig, path: Path, ttl: int) -> None:
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    shape = Shape(ttl=ttl, payload=b"to the director")
    arrives = flow.request(shape)
    early = rig.run(Hook.XDP, arrives)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    late = rig.run(Hook.TC, arrives)
    assert (late.action, late.verdicts) == (Action.PASS, {})
    assert not difference(late.frame, delivered(flow, shape))
    assert traffic(path)[:3] == (1, 1, 0)
    assert state_of(flow) == ("UDP" if path.protocol is Protocol.UDP else "SYN_RECV")
    assert counts(path) == ((0, 1) if path.protocol is Protocol.UDP else (1, 0))


@EVERY_PATH
def test_request_larger_than_any_link_is_delivered(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    shape = Shape(payload=bytes(2000))
    run = rig.run(Hook.TC, flow.request(shape))
    assert run.action is Action.PASS
    assert not difference(run.frame, delivered(flow, shape))


@EVERY_PATH
def test_error_about_a_reply_is_handed_to_the_stack(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    rig.run_uncounted(Hook.TC, flow.request(Shape()))
    arrives, leaves = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG, ttl=(64, 64)).to_server(flow)
    early = rig.run(Hook.XDP, arrives)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    late = rig.run(Hook.TC, arrives)
    assert (late.action, late.verdicts) == (Action.PASS, {})
    assert not difference(late.frame, arrives[:14] + leaves[14:])


@EVERY_PATH
def test_reply_that_comes_in_by_a_link_is_left_alone(rig: Rig, path: Path) -> None:
    """The server's own replies are met where they are sent; a frame of that kind from outside is not one of them."""
    flow = Flow(path, rig.port())
    rig.run_uncounted(Hook.TC, flow.request(Shape()))
    reply = flow.reply(Shape(flags="SA"))
    late = rig.run(Hook.TC, reply, "back")
    assert (late.action, late.verdicts, late.frame) == (Action.PASS, {"PASS_LOCAL_REPLY": 1}, reply)
    early = rig.run(Hook.XDP, reply, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, reply)
