# SPDX-License-Identifier: GPL-2.0-or-later
"""ops.h, slot.h: one-packet scheduling. Every datagram gets a server by itself; of none a connection is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.model import Method, NotBuilt, Protocol, ServiceKey
from tests.packets.frames import Flow, Shape, difference
from tests.packets.listing import connection_of, traffic
from tests.packets.pieces import pieces
from tests.packets.rig import Action, Hook, Rig
from tests.packets.sticky import Sticky, sticky
from tests.packets.tunnels import in_tunnel

pytestmark = pytest.mark.root

FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
METHODS = pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE, Method.TUNNEL], ids=lambda method: method.name)
LONG = Shape(payload=bytes(range(250)) * 4)
SIZE = 400
TURNS = (11, 12, 13, 11, 12)


def alone(
    rig: Rig,
    is_ipv6: bool = False,
    method: Method = Method.NAT,
    persistence: int | None = None,
    protocol: Protocol = Protocol.UDP,
) -> Sticky:
    """A service that schedules each datagram by itself."""
    port = 8080 if method is Method.NAT else 80
    return sticky(
        rig,
        Hook.TC,
        protocol=protocol,
        is_ipv6=is_ipv6,
        method=method,
        servers_port=port,
        ops=True,
        persistence=persistence,
    )


def toward(service: Sticky, flow: Flow, number: int) -> Flow:
    """The flow as it goes to that server."""
    server = service.server(number)
    return replace(flow, path=replace(flow.path, server=str(server.address), server_port=server.port))


def goes(service: Sticky, flow: Flow, number: int, frame: bytes, leaves: bytes) -> None:
    """The frame leaves to that server."""
    run = service.rig.run(Hook.TC, frame)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    there = toward(service, flow, number)
    if service.method is Method.TUNNEL:
        leaves = in_tunnel(there.path, frame, run.frame, is_whole=False)
    assert not difference(run.frame, leaves)


@FAMILIES
@METHODS
def test_every_datagram_is_scheduled_and_nothing_kept(rig: Rig, is_ipv6: bool, method: Method) -> None:
    service = alone(rig, is_ipv6, method)
    flow = service.flow()
    for number in TURNS:
        there = toward(service, flow, number)
        goes(service, flow, number, flow.request(Shape(payload=b"?")), there.to_server(Shape(payload=b"?")))
    assert connection_of(flow) is None
    assert [service.counts(number) for number in (11, 12, 13)] == [(0, 0, 0)] * 3
    assert [service.status(number).counters.connections for number in (11, 12, 13)] == [2, 2, 1]
    length = (48 if is_ipv6 else 28) + 1
    assert traffic(toward(service, flow, 12).path) == (2, 2, 0, 2 * length, 0)


def test_xdp_leaves_it_to_tc(rig: Rig) -> None:
    service = alone(rig)
    frame = service.flow().request(Shape())
    for shape_frame in (frame, service.flow(1).request(Shape())):
        run = rig.run(Hook.XDP, shape_frame)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, shape_frame)
    assert service.status(11).counters.connections == 0


@FAMILIES
@pytest.mark.parametrize("hook", Hook)
def test_replies_leave_as_they_came(rig: Rig, hook: Hook, is_ipv6: bool) -> None:
    """With the server's own address, as from IPVS."""
    service = alone(rig, is_ipv6)
    flow = service.flow()
    rig.run(Hook.TC, flow.request(Shape()))
    reply = toward(service, flow, 11).reply(Shape())
    run = rig.run(hook, reply, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, reply)


def test_a_connection_from_before_goes_on(rig: Rig) -> None:
    """-E with -o: what is known keeps its server."""
    service = alone(rig)
    with rig.change() as table:
        table.edit_service(replace(service.service, ops=False))
    flow = service.open()
    with rig.change() as table:
        table.edit_service(service.service)
    for _ in range(3):
        goes(service, flow, 11, flow.request(Shape()), flow.to_server(Shape()))
    assert service.counts(11) == (0, 0, 1)


def test_with_persistence_the_template_decides_and_stays(rig: Rig) -> None:
    service = alone(rig, persistence=100)
    for client, number in ((1, 11), (2, 12), (1, 11), (2, 12), (1, 11)):
        flow = service.flow(client)
        goes(service, flow, number, flow.request(Shape()), toward(service, flow, number).to_server(Shape()))
        assert connection_of(flow) is None
    assert [one.state for one in service.templates()] == ["NONE", "NONE"]
    assert [service.counts(number) for number in (11, 12, 13)] == [(1, 0, 0), (1, 0, 0), (0, 0, 0)]
    assert service.status(11).counters.connections == 3


def test_templates_of_datagrams_end(rig: Rig) -> None:
    """None of them controls a connection for longer than its datagram."""
    service = alone(rig, persistence=100)
    for _ in range(3):
        rig.run(Hook.TC, service.flow(1).request(Shape()))
    service.age(60)
    rig.run(Hook.TC, service.flow(1).request(Shape()))
    assert 99 < service.template().expires <= 100
    service.age(101)
    service.wait_without_templates()


@pytest.mark.parametrize("upper", [1, 2, 5])
def test_thresholds_are_never_reached(rig: Rig, upper: int) -> None:
    service = alone(rig)
    for number in (11, 12, 13):
        with rig.change() as table:
            table.edit_server(service.key, service.server(number, upper=upper))
    flow = service.flow()
    for number in TURNS:
        goes(service, flow, number, flow.request(Shape()), toward(service, flow, number).to_server(Shape()))


def test_weight_0_and_no_server(rig: Rig) -> None:
    service = alone(rig)
    for number in (11, 12, 13):
        with rig.change() as table:
            table.edit_server(service.key, service.server(number, weight=0))
    assert rig.run(Hook.TC, service.flow().request(Shape())).verdicts == {"DROP_NO_SERVER": 1}


@FAMILIES
@METHODS
def test_fragments_follow_their_first_one(rig: Rig, is_ipv6: bool, method: Method) -> None:
    service = alone(rig, is_ipv6, method)
    flow = service.flow()
    for number in TURNS:
        ident = rig.port()
        there = toward(service, flow, number)
        for piece, left in zip(
            pieces(flow.request(LONG), SIZE, ident), pieces(there.to_server(LONG), SIZE, ident), strict=True
        ):
            goes(service, flow, number, piece, left)
    assert service.status(11).counters.connections == 2
    assert service.status(11).counters.in_packets == 2


def test_fragments_whose_first_one_got_no_server_are_dropped(rig: Rig) -> None:
    service = alone(rig)
    with rig.change() as table:
        for number in (11, 12, 13):
            table.delete_server(service.key, service.server(number).address, 8080)
    first, *later = pieces(service.flow().request(LONG), SIZE, rig.port())
    assert rig.run(Hook.TC, first).verdicts == {"DROP_NO_SERVER": 1}
    for piece in later:
        assert rig.run(Hook.TC, piece).verdicts == {"DROP_FRAGMENT": 1}


def test_client_port_20_passes(rig: Rig) -> None:
    service = alone(rig)
    flow = replace(service.flow(), port=20)
    for frame in (flow.request(Shape()), *pieces(flow.request(LONG), SIZE, rig.port())):
        run = rig.run(Hook.TC, frame)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, frame)


def test_a_datagram_too_long_for_its_tunnel_is_cut_by_the_kernel(rig: Rig) -> None:
    """Round the siding it would be scheduled again."""
    service = alone(rig, method=Method.TUNNEL)
    run = rig.run(Hook.TC, service.flow().request(Shape(payload=bytes(1472))))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert run.frame[23] == 4  # IP in IP, whole
    assert service.status(11).counters.connections == 1


def test_each_cpu_keeps_one_row(small: Rig) -> None:
    """However many datagrams come, they take no other room in the table."""
    with small.inside():
        service = alone(small)
        bare = Shape(transport={"chksum": 0})
        frame = service.flow().request(bare)
        for _ in range(2 * _abi.MIN_CONNS):
            assert small.run_uncounted(Hook.TC, frame)[0] is Action.REDIRECT
        assert not list(Director().connections())
        instance = Director().instance()
        assert instance is not None
        assert instance.runtime.load(0, "conn_high") <= 64  # CPUs


@pytest.mark.parametrize("edit", ["service", "server", "edited server"])
def test_fullnat_is_refused(rig: Rig, edit: str) -> None:
    """Nothing would be kept by which a reply finds its client."""
    service = sticky(rig, Hook.TC, protocol=Protocol.UDP, persistence=None, ops=edit != "service")
    with pytest.raises(NotBuilt, match=r"one-packet scheduling \(-o\) does not go with FullNAT \(-b\)"):
        _give_fullnat(rig, service, service.key, edit)
    with rig.change() as table:
        assert table.service(service.key).ops is (edit != "service")


def _give_fullnat(rig: Rig, service: Sticky, key: ServiceKey, edit: str) -> None:
    with rig.change() as table:
        if edit == "service":
            table.edit_server(key, replace(service.server(11), method=Method.FULLNAT))
            table.edit_service(replace(service.service, ops=True))
        elif edit == "server":
            table.add_server(key, replace(service.server(14), method=Method.FULLNAT))
        else:
            table.edit_server(key, replace(service.server(11), method=Method.FULLNAT))
