# SPDX-License-Identifier: GPL-2.0-or-later
"""load.h: how many connections a server has, and the thresholds that keep new ones from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from bpvs.lab.wait import until
from bpvs.model import Protocol, VirtualService
from tests.packets.frames import CLIENT, Flow, Path, Shape
from tests.packets.listing import counts, row_of
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
EXPIRY_S = 5.0
_LONG_AGO = 0x40000000  # units of clock_ms(): 13 days, longer than any timeout here
_PORTS = count(20000)


@pytest.fixture
def path() -> Path:
    """A service that no test had before, so that its server has no connections."""
    return Path(CLIENT, "10.0.0.150", next(_PORTS), "10.2.0.17", 8080, Protocol.UDP)


def limit(rig: Rig, path: Path, upper: int, lower: int = 0) -> None:
    """The path's server with these thresholds."""
    key, server = path.row
    with rig.change() as table:
        if not table.has(key):
            table.add_service(VirtualService(key, "rr"))
            table.add_server(key, server)
        table.edit_server(key, replace(server, upper=upper, lower=lower))


def opened(rig: Rig, path: Path, hook: Hook = Hook.TC) -> Flow | None:
    """A new connection, None if no server would have it."""
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(Shape()))
    if not run.is_forwarded:
        assert (run.action, run.verdicts) in (
            (Action.REDIRECT, {"DROP_NO_SERVER": 1}),  # TC answers with an ICMP error
            (Action.TX, {"DROP_NO_SERVER": 1}),
            (Action.PASS, {"PASS_TO_TC": 1}),
        )
    return flow if run.is_forwarded and not run.verdicts else None


def end(flow: Flow) -> None:
    """Let the connection's time be over."""
    conns, row = loaded().conns, row_of(flow)
    before = counts(flow.path)
    conns.store(row, "seen", (conns.load(row, "seen") - _LONG_AGO) & 0xFFFFFFFF)
    until(lambda: counts(flow.path) != before, "the connection should expire", EXPIRY_S)


@HOOKS
def test_a_connection_counts_from_its_first_packet_to_its_end(rig: Rig, hook: Hook, path: Path) -> None:
    limit(rig, path, 0)
    flows = [opened(rig, path, hook) for _ in range(3)]
    assert counts(path) == (0, 3)
    for left, flow in zip((2, 1, 0), flows, strict=True):
        assert flow
        end(flow)
        assert counts(path) == (0, left)


@HOOKS
def test_active_and_inactive_are_told_apart(rig: Rig, hook: Hook, path: Path) -> None:
    path = replace(path, protocol=Protocol.TCP)
    limit(rig, path, 0)
    flow = Flow(path, rig.port())
    rig.run(hook, flow.request(Shape(flags="S")))
    assert counts(path) == (1, 0)
    rig.run(hook, flow.request(Shape(flags="A")))
    rig.run(hook, flow.request(Shape(flags="FA")))
    assert counts(path) == (0, 1)


@HOOKS
@pytest.mark.parametrize(("upper", "lower", "back_at"), [(3, 0, 2), (4, 0, 2), (4, 2, 1), (1, 1, 0), (5, 5, 4)])
def test_thresholds(rig: Rig, hook: Hook, path: Path, upper: int, lower: int, back_at: int) -> None:
    """Exactly `upper`, then none until fewer than `lower`, or than three quarters of `upper`."""
    limit(rig, path, upper, lower)
    flows = [opened(rig, path, hook) for _ in range(upper)]
    assert None not in flows
    for left in range(upper - 1, back_at - 1, -1):
        assert opened(rig, path, hook) is None
        flow = flows.pop()
        assert flow
        end(flow)
        assert counts(path) == (0, left)
    assert [opened(rig, path, hook) is not None for _ in range(upper - back_at + 1)] == [
        *[True] * (upper - back_at),
        False,
    ]


def test_lowering_the_threshold_overloads_at_once_and_lifting_it_frees(rig: Rig, path: Path) -> None:
    limit(rig, path, 0)
    assert all(opened(rig, path) for _ in range(4))
    limit(rig, path, 3)
    assert opened(rig, path) is None
    limit(rig, path, 4, 4)
    assert opened(rig, path) is None
    limit(rig, path, 6, 4)  # 4 connections are not below 4: what was before stays
    assert opened(rig, path) is None
    limit(rig, path, 6, 5)
    assert opened(rig, path)
    limit(rig, path, 2)
    limit(rig, path, 0)
    assert opened(rig, path)


def test_thresholds_are_read_back(rig: Rig, path: Path) -> None:
    limit(rig, path, 7, 3)
    with rig.change() as table:
        (server,) = table.servers(path.key)
        assert (server.upper, server.lower) == (7, 3)
