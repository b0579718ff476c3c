# SPDX-License-Identifier: GPL-2.0-or-later
"""leave.h, rewrite(): servers of every type in one service, and one whose type is edited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.model import Method, Protocol, Tunnel, TunnelType
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference, localised, opened, told
from tests.packets.rig import Action, Hook, Rig
from tests.packets.tunnels import in_tunnel

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.190", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::190", 80, "fd02::11", 80)
ENDS = {
    "tcp4": TCP4,
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}
TYPES = (Method.NAT, Method.ROUTE, Method.TUNNEL, Method.FULLNAT)
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", ENDS.values(), ids=ENDS)
LATER = Shape(flags="A", payload=b"later")


def typed(path: Path, method: Method, station: int = 11) -> Path:
    """The path with that type, to the server with that station number."""
    server = f"fd02::{station}" if path.is_ipv6 else f"10.2.0.{station}"
    local = "fd02::201" if path.is_ipv6 else "10.2.0.201"
    return replace(path, method=method, server=server, local=local if method is Method.FULLNAT else "")


def requested(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    """A request leaves as the flow's type wants it."""
    arrives = flow.request(shape)
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    wrapped = flow.path.method is Method.TUNNEL
    assert not difference(run.frame, in_tunnel(flow.path, arrives, run.frame) if wrapped else flow.to_server(shape))


def replied(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@HOOKS
@EVERY_PATH
def test_each_server_is_reached_its_own_way(rig: Rig, hook: Hook, path: Path) -> None:
    path = replace(path, virtual_port=rig.port())
    mixed = [typed(path, method, station) for station, method in enumerate(TYPES, 11)]
    rig.serve(*(one.row for one in mixed), locals_=mixed[-1].locals)
    for one in reversed(mixed * 2):  # rr begins with the newest
        flow = Flow(one, rig.port())
        if one.method is Method.FULLNAT:
            flow = localised(flow, rig.run(hook, flow.request(Shape())).frame)
            flow = told(rig, hook, flow)
        else:
            requested(rig, hook, flow, Shape())
        requested(rig, hook, flow, LATER)
        replied(rig, hook, flow, LATER)


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("before", TYPES)
def test_connections_keep_the_type_that_they_began_with(rig: Rig, hook: Hook, path: Path, before: Method) -> None:
    path = replace(path, virtual_port=rig.port())
    old = typed(path, before)
    rig.serve(old.row, locals_=typed(path, Method.FULLNAT).locals)
    flow = opened(rig, hook, old)
    if before is Method.FULLNAT:
        flow = told(rig, hook, flow)
    for after in TYPES:
        new = typed(path, after)
        with rig.change() as table:
            table.edit_server(*new.row)
        requested(rig, hook, flow, LATER)
        replied(rig, hook, flow, LATER)
        fresh = opened(rig, hook, new)
        requested(rig, hook, fresh, Shape(flags="S"))


@HOOKS
@EVERY_PATH
def test_tunnel_stays_known_to_connections_of_a_server_that_has_none_now(rig: Rig, hook: Hook, path: Path) -> None:
    old = replace(typed(path, Method.TUNNEL), virtual_port=rig.port(), tunnel=Tunnel(TunnelType.GUE, 6080))
    rig.serve(old.row)
    flow = opened(rig, hook, old)
    with rig.change() as table:
        table.edit_server(*typed(old, Method.NAT).row)
    requested(rig, hook, flow, LATER)
