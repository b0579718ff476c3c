# SPDX-License-Identifier: GPL-2.0-or-later
"""schedule.h: why a service may have no server for a new client, whatever its servers' method."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6DestUnreach

from bpvs.director import Director
from bpvs.model import Method, Protocol, RealServer, VirtualService
from tests.packets.errors import answer
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference
from tests.packets.listing import connection_of
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.144", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::144", 80, "fd02::11", 80)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
METHODS = (Method.NAT, Method.ROUTE, Method.TUNNEL, Method.FULLNAT)

# scheduler, weight of the servers, upper threshold
REASONS = {
    "weight 0": ("rr", 0, 0),
    "weight 0 by wrr": ("wrr", 0, 0),
    "weight 0 by wlc": ("wlc", 0, 0),
    "weight 0 in the slot of sh": ("sh", 0, 0),
    "weight 0 in the slot of dh": ("dh", 0, 0),
    "weight 0 in the slot of mh": ("mh", 0, 0),
    "overloaded": ("rr", 1, 1),
    "overloaded by lc": ("lc", 1, 1),
    "overloaded by sh": ("sh", 1, 1),
    "no scheduler": ("none", 1, 0),
}


def serve(rig: Rig, path: Path, scheduler: str, *servers: RealServer) -> None:
    with rig.change() as table:
        table.clear()
        table.add_service(VirtualService(path.key, scheduler))
        for server in servers:
            table.add_server(path.key, server)
        for key, address in path.locals:
            table.add_local(key, address)


def assert_refused(rig: Rig, path: Path) -> None:
    """Nobody is forwarded, counted or remembered; the client is told from the address that it asked."""
    flow = Flow(path, rig.port())
    arrives = flow.request(Shape())
    before = Director().status()[path.key]
    assert rig.run(Hook.XDP, arrives).verdicts == {"PASS_TO_TC": 1}
    run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_NO_SERVER": 1})
    error = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    assert not difference(run.frame, answer(arrives, error))
    assert connection_of(flow) is None
    assert Director().status()[path.key] == before


@pytest.mark.parametrize("path", [TCP4, TCP6, UDP4], ids=["TCP", "TCP, IPv6", "UDP"])
@pytest.mark.parametrize("scheduler", ["rr", "wrr", "wlc", "sh", "dh", "mh", "none"])
def test_no_servers(rig: Rig, path: Path, scheduler: str) -> None:
    serve(rig, path, scheduler)
    assert_refused(rig, path)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("reason", REASONS)
def test_no_server_that_may_have_the_connection(rig: Rig, reason: str, method: Method) -> None:
    scheduler, weight, upper = REASONS[reason]
    path = replace(TCP4, method=method, local="10.2.0.200" if method is Method.FULLNAT else "")
    serve(rig, path, scheduler, replace(path.row[1], weight=weight, upper=upper))
    if upper:
        assert rig.run(Hook.TC, Flow(path, rig.port()).request(Shape())).is_forwarded
    assert_refused(rig, path)
