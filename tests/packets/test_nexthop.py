# SPDX-License-Identifier: GPL-2.0-or-later
"""nexthop.h: where a packet goes, and the reasons why it cannot go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bpvs.lab.wait import until
from bpvs.model import Method, Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import doubt, forget_back, gateways, seen
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig, mac

pytestmark = pytest.mark.root

VIP, VIP6 = "10.0.0.102", "fd00::102"
NEAR = Path(CLIENT, VIP, 80, "10.2.0.13", 80)
NEAR6 = Path(CLIENT6, VIP6, 80, "fd02::13", 80)
GATEWAY = replace(NEAR, virtual_port=81, server="10.8.0.11")
GATEWAY6 = replace(NEAR6, virtual_port=81, server="fd08::11")
ONE_ARM = replace(NEAR, virtual_port=82, server="10.1.0.14", link=1)
ONE_ARM6 = replace(NEAR6, virtual_port=82, server="fd01::14", link=1)
SILENT = replace(NEAR, virtual_port=83, server="10.2.0.99")
SILENT6 = replace(NEAR6, virtual_port=83, server="fd02::99")
NARROW = replace(NEAR, virtual_port=84, server="10.3.0.11", link=3)
NARROW6 = replace(NEAR6, virtual_port=84, server="fd03::11", link=3)
BLACKHOLE = replace(NEAR, virtual_port=85, server="10.7.0.11")
BLACKHOLE6 = replace(NEAR6, virtual_port=85, server="fd07::11")
NOWHERE = replace(NEAR, virtual_port=88, server="10.66.0.11")
NOWHERE6 = replace(NEAR6, virtual_port=88, server="fd66::11")
FENCED = replace(NEAR, virtual_port=87, server="10.2.0.15")  # sent to by nobody else: no hop is remembered
FENCED6 = replace(NEAR6, virtual_port=87, server="fd02::15")
OWN = replace(NEAR, virtual_port=86, server="10.2.0.98")
OWN6 = replace(NEAR6, virtual_port=86, server="fd02::98")
UDP = replace(NARROW, protocol=Protocol.UDP)
PATHS = (
    *(NEAR, NEAR6, GATEWAY, GATEWAY6, ONE_ARM, ONE_ARM6, SILENT, SILENT6),
    *(NARROW, NARROW6, BLACKHOLE, BLACKHOLE6, NOWHERE, NOWHERE6, OWN, OWN6, FENCED, FENCED6, UDP),
)
BOTH = pytest.mark.parametrize("path", [NEAR, NEAR6], ids=["IPv4", "IPv6"])
HOOKS = pytest.mark.parametrize("hook", Hook)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS))


def macs(src: str, dst: str) -> bytes:
    """How a frame begins."""
    return bytes.fromhex((dst + src).replace(":", ""))


def with_macs(frame: bytes, src: str, dst: str) -> bytes:
    return macs(src, dst) + frame[12:]


@HOOKS
@pytest.mark.parametrize("path", [GATEWAY, GATEWAY6], ids=["IPv4", "IPv6"])
def test_server_behind_a_gateway(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(Shape()))
    assert run.action is Action.REDIRECT
    assert not difference(run.frame, with_macs(flow.to_server(Shape()), mac(2, 1), mac(2, 18)))


@HOOKS
@pytest.mark.parametrize(
    "path", [replace(NEAR, client="10.9.0.5"), replace(NEAR6, client="fd09::5")], ids=["IPv4", "IPv6"]
)
def test_client_behind_a_router(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    assert not difference(rig.run(hook, flow.reply(Shape(flags="SA")), "back").frame, flow.to_client(Shape(flags="SA")))


@HOOKS
@pytest.mark.parametrize("path", [ONE_ARM, ONE_ARM6], ids=["IPv4", "IPv6"])
def test_server_on_the_link_of_the_client(rig: Rig, hook: Hook, path: Path) -> None:
    """XDP sends out of the interface that a packet came in by without a detour."""
    flow = Flow(path, rig.port())
    request = rig.run(hook, flow.request(Shape()))
    assert request.action is (Action.TX if hook is Hook.XDP else Action.REDIRECT)
    assert not difference(request.frame, flow.to_server(Shape()))
    reply = rig.run(hook, flow.reply(Shape(flags="SA")))
    assert reply.action is request.action
    assert not difference(reply.frame, flow.to_client(Shape(flags="SA")))


@pytest.mark.parametrize("path", [SILENT, SILENT6], ids=["IPv4", "IPv6"])
def test_unknown_neighbour_is_left_to_the_kernel(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    request = flow.request(Shape())
    early = rig.run(Hook.XDP, request)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, request)
    late = rig.run(Hook.TC, request)
    assert (late.action, late.verdicts) == (Action.REDIRECT, {})
    assert not difference(late.frame, with_macs(flow.to_server(Shape()), mac(1, 2), mac(1, 1)))


@HOOKS
@pytest.mark.parametrize("path", [BLACKHOLE, BLACKHOLE6, NOWHERE, NOWHERE6], ids=["4", "6", "4, none", "6, none"])
def test_no_route(rig: Rig, hook: Hook, path: Path) -> None:
    """The client is told; XDP leaves that to TC."""
    run = rig.run(hook, Flow(path, rig.port()).request(Shape()))
    assert (run.action, run.verdicts) == NO_ROUTE[hook]


NO_ROUTE = {Hook.TC: (Action.REDIRECT, {"DROP_NO_ROUTE": 1}), Hook.XDP: (Action.PASS, {"PASS_TO_TC": 1})}


@HOOKS
@pytest.mark.parametrize(("path", "address"), [(OWN, "10.2.0.98/32"), (OWN6, "fd02::98/128")], ids=["IPv4", "IPv6"])
def test_server_whose_address_became_the_director_s(rig: Rig, hook: Hook, path: Path, address: str) -> None:
    rig.ip(f"address add {address} dev back")
    try:
        run = rig.run(hook, Flow(path, rig.port()).request(Shape()))
    finally:
        rig.ip(f"address delete {address} dev back")
    assert (run.action, run.verdicts) == NO_ROUTE[hook]


@HOOKS
@pytest.mark.parametrize("path", [FENCED, FENCED6], ids=["IPv4", "IPv6"])
def test_link_that_does_not_forward(rig: Rig, hook: Hook, path: Path) -> None:
    request = with_macs(Flow(path, rig.port()).request(Shape()), mac(4, 2), mac(4, 1))
    run = rig.run(hook, request, "closed")
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_NOT_FORWARDING": 1}, request)


@HOOKS
@BOTH
@pytest.mark.parametrize("ttl", [0, 1])
def test_used_up_ttl_of_a_reply(rig: Rig, hook: Hook, path: Path, ttl: int) -> None:
    flow = Flow(path, rig.port())
    rig.run(hook, flow.request(Shape()))
    run = rig.run(hook, flow.reply(Shape(flags="SA", ttl=ttl)), "back")
    assert not run.is_forwarded or run.frame[14:] != flow.to_client(Shape(flags="SA"))[14:]
    assert run.verdicts == {"DROP_TTL" if hook is Hook.TC else "PASS_TO_TC": 1}


def filling(path: Path, length: int) -> Shape:
    """A packet of that many bytes, which nobody may cut."""
    headers = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    return Shape(flags="PA", payload=bytes(length - headers), ip={} if path.is_ipv6 else {"flags": "DF"})


@HOOKS
@pytest.mark.parametrize("path", [NARROW, NARROW6, UDP], ids=["TCP, IPv4", "TCP, IPv6", "UDP"])
def test_mtu_of_the_way_out(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    fits = rig.run(hook, flow.request(filling(path, NARROW_MTU)))
    assert fits.is_forwarded
    assert not difference(fits.frame, flow.to_server(filling(path, NARROW_MTU)))
    too_big = rig.run(hook, flow.request(filling(path, NARROW_MTU + 1)))
    assert too_big.verdicts == {"DROP_TOO_BIG" if hook is Hook.TC else "PASS_TO_TC": 1}


@pytest.mark.parametrize("path", [NARROW, NARROW6], ids=["IPv4", "IPv6"])
def test_packet_that_the_device_segments_fits(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    rig.run(Hook.TC, flow.request(Shape()))
    big = filling(path, 3000)
    run = rig.run(Hook.TC, flow.request(big), gso_size=1200)
    assert run.is_forwarded
    assert not difference(run.frame, flow.to_server(big))


@contextmanager
def station(rig: Rig, address: str, number: int) -> Iterator[None]:
    """The address belongs to another station for a while."""
    before = int(address.replace(":", ".").rpartition(".")[2])
    rig.ip(f"neighbour replace {address} lladdr {mac(2, number)} dev back nud permanent")
    try:
        yield
    finally:
        rig.ip(f"neighbour replace {address} lladdr {mac(2, before)} dev back nud permanent")


@pytest.fixture
def _one_cpu() -> Iterator[None]:
    """Each CPU remembers hops of its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@HOOKS
@BOTH
@pytest.mark.usefixtures("_one_cpu")
def test_hop_is_asked_for_again_within_two_seconds(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    moved = with_macs(flow.to_server(Shape()), mac(2, 1), mac(2, 77))
    assert rig.run(hook, flow.request(Shape())).frame == flow.to_server(Shape())
    with station(rig, path.server, 77):
        until(lambda: rig.run(hook, flow.request(Shape())).frame == moved, "packets to go to the new station", 2)
    until(lambda: rig.run(hook, flow.request(Shape())).frame == flow.to_server(Shape()), "packets to come back", 2)


@HOOKS
@pytest.mark.usefixtures("_one_cpu")
def test_server_in_place_of_another_has_its_own_hop(rig: Rig, hook: Hook) -> None:
    """The row of `dests` of a server whose only packet was too big counts as idle and goes to the next server."""
    first = alone(rig, NEAR)
    rig.run(hook, Flow(first, rig.port()).request(replace(filling(first, 1501), flags="S", ip={"flags": "DF"})))
    rig.serve()
    second = alone(rig, replace(NEAR, server="10.2.0.14"))
    flow = Flow(second, rig.port())
    assert not difference(rig.run(hook, flow.request(Shape())).frame, flow.to_server(Shape()))


@HOOKS
@pytest.mark.parametrize(
    ("path", "network"),
    [(replace(NEAR, server="10.8.1.1"), "10.8.1.0/24"), (replace(NEAR6, server="fd08:1::1"), "fd08:1::/64")],
    ids=["IPv4", "IPv6"],
)
def test_mtu_of_the_route(rig: Rig, hook: Hook, path: Path, network: str) -> None:
    path = alone(rig, path)
    gateway, least = ("fd02::18", 1280) if path.is_ipv6 else ("10.2.0.18", 1000)
    rig.ip(f"route replace {network} via {gateway} mtu lock {least}")
    flow = Flow(path, rig.port())
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    assert rig.run(hook, flow.request(filling(path, least))).is_forwarded
    too_big = rig.run(hook, flow.request(filling(path, least + 1)))
    assert too_big.verdicts == {"DROP_TOO_BIG" if hook is Hook.TC else "PASS_TO_TC": 1}


SURE, DOUBTFUL = 25, 40  # seconds since the kernel saw to a station


@BOTH
@pytest.mark.usefixtures("_one_cpu")
def test_xdp_leaves_a_packet_to_tc_where_a_station_was_not_verified_for_long(rig: Rig, path: Path) -> None:
    """Else a server that has got another network card would be sent to at the old one for as long as packets come."""
    flow = Flow(alone(rig, path), rig.port())
    assert rig.run(Hook.XDP, flow.request(Shape())).is_forwarded
    request = flow.request(Shape(flags="A"))
    doubt(flow, SURE)
    assert rig.run(Hook.XDP, request).is_forwarded
    for _ in range(2):
        doubt(flow, DOUBTFUL)
        early = rig.run(Hook.XDP, request)
        assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, request)
    late = rig.run(Hook.TC, request)
    assert not difference(late.frame, flow.to_server(Shape(flags="A")))
    doubt(flow, 0)
    assert rig.run(Hook.XDP, request).is_forwarded


def replied(rig: Rig, path: Path) -> tuple[Flow, bytes]:
    """A connection whose server has replied, by XDP; the next reply, whose way to the client has to be asked for."""
    flow = Flow(path, rig.port())
    assert rig.run(Hook.XDP, flow.request(Shape())).is_forwarded
    assert rig.run(Hook.XDP, flow.reply(Shape(flags="SA")), "back").is_forwarded
    forget_back(flow)
    return flow, flow.reply(Shape(flags="A"))


@BOTH
def test_xdp_leaves_one_reply_to_tc_where_a_client_s_station_was_not_verified_for_long(rig: Rig, path: Path) -> None:
    """Else a router that was replaced would be sent to at its old card. Its connections share the one packet."""
    path = alone(rig, path)
    flow, reply = replied(rig, path)
    gateways(seen(SURE))
    assert rig.run(Hook.XDP, reply, "back").is_forwarded
    (flow, reply), (_, of_another) = replied(rig, path), replied(rig, path)
    gateways(seen(DOUBTFUL))
    early = rig.run(Hook.XDP, reply, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, reply)
    assert rig.run(Hook.XDP, of_another, "back").is_forwarded
    late = rig.run(Hook.TC, reply, "back")
    assert not difference(late.frame, flow.to_client(Shape(flags="A")))
    forget_back(flow)
    assert rig.run(Hook.XDP, reply, "back").is_forwarded


@BOTH
def test_a_station_that_takes_another_s_place_counts_as_verified(rig: Rig, path: Path) -> None:
    _, reply = replied(rig, alone(rig, path))
    gateways(lambda known: seen(DOUBTFUL)(known ^ 1 << 16))
    assert rig.run(Hook.XDP, reply, "back").is_forwarded


@BOTH
@pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE, Method.TUNNEL])
@pytest.mark.usefixtures("_one_cpu")
def test_local_clients_have_stations_verified_too(rig: Rig, path: Path, method: Method) -> None:
    """A monitor's may be the only packets. The kernel's neighbour code writes the frame's addresses itself."""
    path = alone(rig, replace(path, method=method, client="fd01::1" if path.is_ipv6 else "10.1.0.1"))
    flow = Flow(path, rig.port(), is_local=True)
    rig.run(Hook.TC, flow.request(Shape()), "lo")
    doubt(flow, SURE)
    request = flow.request(Shape(flags="A"))
    assert rig.run(Hook.TC, request, "lo").frame[:12] == macs(mac(path.link, 1), path.server_mac)
    doubt(flow, DOUBTFUL)
    run = rig.run(Hook.TC, request, "lo")
    assert (run.action, run.frame[:12]) == (Action.REDIRECT, bytes(12))
    assert run.verdicts == ({"HOLD_FINISH": 1} if method is Method.ROUTE else {})
    again = rig.run(Hook.TC, request, "lo")
    assert (again.frame[:12], again.verdicts) == (macs(mac(path.link, 1), path.server_mac), {})
