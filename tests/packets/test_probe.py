# SPDX-License-Identifier: GPL-2.0-or-later
"""probe.h: a monitor's packets go to the server that their mark names, and what it answers gets to the monitor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.director.probes import Probe
from bpvs.director.rows import read_rows
from bpvs.kernel import _abi
from bpvs.lab.wait import until
from bpvs.model import Address, Method, NoSuchService, NotBuilt, Protocol, ServiceKey, VirtualService
from bpvs.model.mark_rule import MarkRule
from bpvs.model.network import Network
from tests.packets.frames import Flow, Path, Shape, alone, difference
from tests.packets.listing import connection_of, server_status
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

OWN, OWN6 = "10.2.0.1", "fd02::1"  # the director's, on the servers' link
VIP, VIP6 = "10.1.0.150", "fd01::150"
LISTED4 = Path(OWN, VIP, 80, "10.2.0.11", 80)
LISTED6 = Path(OWN6, VIP6, 80, "fd02::11", 80)
EVERY_FAMILY = pytest.mark.parametrize("listed", [LISTED4, LISTED6], ids=["IPv4", "IPv6"])
SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
def _virtual_addresses(_loaded: Rig) -> Iterator[None]:
    lines = (f"{VIP}/32 dev front", f"{VIP6}/128 dev front nodad")
    _loaded.ip(*(f"address add {line}" for line in lines))
    yield
    _loaded.ip(*(f"address delete {line}" for line in lines))


def other(listed: Path) -> Path:
    """The same service's server .12, which no table lists."""
    return replace(listed, server=listed.server[:-1] + "2")


@pytest.fixture(params=[Protocol.TCP, Protocol.UDP], ids=["TCP", "UDP"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    made: Protocol = request.param
    return made


def test_an_open_probe_is_in_no_listing_and_ends_with_its_block(rig: Rig) -> None:
    rig.serve(LISTED4.row)
    director = Director()
    table, status = director.table(), director.status()
    with director.probes(LISTED4.key, [other(LISTED4).row[1]], SECONDS) as (probe,):
        assert list(director.table().services()) == list(table.services())
        assert director.status().keys() == status.keys()
        assert first_hop(rig, other(LISTED4), probe)[1] is Action.REDIRECT
    with director.probes(LISTED4.key, [other(LISTED4).row[1]], SECONDS) as (again,):
        assert again.mark == probe.mark
    flow = Flow(LISTED4, rig.port(), is_local=True)
    assert not difference(rig.run(Hook.TC, flow.request(Shape()), "lo", mark=probe.mark).frame, sent(flow))


def sent(flow: Flow) -> bytes:
    """A probe's first packet as it leaves."""
    return flow.to_server(Shape())


def first_hop(rig: Rig, path: Path, probe: Probe, port: int = 0) -> tuple[Flow, Action, bytes]:
    """A probe's first packet: its flow, what became of it, and the frame that left."""
    flow = Flow(path, port or rig.port(), is_local=True)
    run = rig.run(Hook.TC, flow.request(Shape()), "lo", mark=probe.mark)
    return flow, run.action, run.frame


@EVERY_FAMILY
@pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE])
def test_a_probe_goes_to_its_server_by_its_method(rig: Rig, listed: Path, method: Method, protocol: Protocol) -> None:
    """Though the scheduler knows another server only, rules give its packets another mark, and its weight is 0."""
    listed = replace(listed, method=method, protocol=protocol)
    path = other(listed)
    rig.serve(listed.row)
    director = Director()
    director.set_mark_rules(lambda _: [MarkRule(7, Network.parse(listed.virtual))])
    try:
        with director.probes(listed.key, [replace(path.row[1], weight=0)], SECONDS) as (probe,):
            flow, action, frame = first_hop(rig, path, probe)
            assert action is Action.REDIRECT
            assert not difference(frame, sent(flow))
            assert probe.source == Address.parse(path.client)
    finally:
        director.set_mark_rules(lambda _: ())


@EVERY_FAMILY
def test_scheduler_and_counts_of_the_service_do_not_notice(rig: Rig, listed: Path) -> None:
    path = alone(rig, listed)
    with rig.change() as table:
        table.add_server(*other(path).row)
    before = server_status(path), server_status(other(path))
    with Director().probes(path.key, [path.row[1], other(path).row[1]], SECONDS) as probes:
        for probe, to in zip(probes, (path, other(path)), strict=True):
            assert [first_hop(rig, to, probe)[1] for _ in range(3)] == [Action.REDIRECT] * 3
    assert (server_status(path), server_status(other(path))) == before
    flows = [Flow(path, rig.port()) for _ in range(2)]
    for flow in flows:
        rig.run(Hook.TC, flow.request(Shape()))
    found = [connection_of(flow) for flow in flows]
    assert [str(one.server) for one in found if one] == [other(path).server, path.server]  # rr's beginning


@EVERY_FAMILY
def test_a_probe_makes_room_where_its_port_had_another_server(rig: Rig, listed: Path, protocol: Protocol) -> None:
    listed = replace(listed, protocol=protocol)
    path = other(listed)
    rig.serve(listed.row)
    with Director().probes(listed.key, [listed.row[1], path.row[1]], SECONDS) as (to_listed, to_other):
        flow, _, frame = first_hop(rig, listed, to_listed)
        assert not difference(frame, sent(flow))
        moved, _, frame = first_hop(rig, path, to_other, flow.port)
        assert not difference(frame, sent(moved))
        _, _, frame = first_hop(rig, path, to_other, flow.port)  # a repetition stays
        assert not difference(frame, sent(moved))


@EVERY_FAMILY
def test_the_answer_past_the_translation_enters_by_lo(rig: Rig, listed: Path, protocol: Protocol) -> None:
    """From the virtual address, which is the director's too: from another interface the kernel would not take it."""
    path = replace(listed, method=Method.ROUTE, protocol=protocol)
    rig.serve(path.row)
    with Director().probes(path.key, [path.row[1]], SECONDS) as (probe,):
        flow, _, _ = first_hop(rig, path, probe)
        arrived = flow.reply(Shape(flags="SA"))
        early = rig.run(Hook.XDP, arrived, "back")
        assert (early.action, early.verdicts) == (Action.PASS, {"PASS_TO_TC": 1})
        late = rig.run(Hook.TC, arrived, "back")
        assert (late.action, late.verdicts) == (Action.REDIRECT, {})
        assert not difference(late.frame, flow.to_client(Shape(flags="SA")))
        again = rig.run(Hook.TC, late.frame, "lo")
        assert (again.action, again.verdicts, again.frame) == (Action.PASS, {"PASS_LOCAL_REPLY": 1}, late.frame)


def test_a_probe_by_direct_routing_has_its_route_taken_off_while_its_station_is_unknown(rig: Rig) -> None:
    path = replace(LISTED4, method=Method.ROUTE, server="10.2.0.99")
    rig.serve(LISTED4.row)
    with Director().probes(LISTED4.key, [path.row[1]], SECONDS) as (probe,):
        flow = Flow(path, rig.port(), is_local=True)
        run = rig.run(Hook.TC, flow.request(Shape()), "lo", mark=probe.mark)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"HOLD_FINISH": 1})


def test_what_nobody_closes_ends_with_its_time(rig: Rig) -> None:
    rig.serve(LISTED4.row)
    director = Director()
    probes = director.probes(LISTED4.key, [other(LISTED4).row[1]], 1)
    (probe,) = probes.__enter__()
    wanted = ServiceKey.marked(probe.mark)
    assert wanted in read_rows(loaded())

    def is_gone_after_a_change() -> bool:
        director.zero()
        return wanted not in read_rows(loaded())

    until(is_gone_after_a_change, "the end of a probe", 10)
    with director.probes(LISTED4.key, [other(LISTED4).row[1]], SECONDS):
        probes.__exit__()
        assert wanted in read_rows(loaded())  # somebody else's by now


def test_probes_are_refused_with_a_reason(rig: Rig) -> None:
    rig.serve(LISTED4.row, replace(LISTED4, virtual="10.0.0.7").row, replace(LISTED4, mark=7).row)
    director, server = Director(), LISTED4.row[1]
    cases: list[tuple[ServiceKey, Address, type[Exception], str]] = [
        (replace(LISTED4, virtual_port=81).key, server.address, NoSuchService, "No such service"),
        (replace(LISTED4, virtual="10.0.0.7").key, server.address, NotBuilt, "10.0.0.7 is not an address of the dir"),
        (ServiceKey.marked(7), server.address, NotBuilt, "a service by mark has no address"),
    ]
    for key, address, kind, words in cases:
        with pytest.raises(kind, match=words), director.probes(key, [replace(server, address=address)], SECONDS):
            pass
    with pytest.raises(NotBuilt, match=r"mark 1651535872 is kept for probes"):
        director.add_service(VirtualService(ServiceKey.marked(_abi.FIRST_PROBE_MARK)))
    with pytest.raises(ValueError, match="at most 3600 seconds, not 3601"):
        director.probes(LISTED4.key, [server], 3601)
