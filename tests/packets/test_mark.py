# SPDX-License-Identifier: GPL-2.0-or-later
"""service.h: services by firewall mark, of packets that somebody marked before TC ingress or that took the detour."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.l2 import Ether

from bpvs.director import Director
from bpvs.model import Family, Method, Protocol, ServiceKey
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference, localised
from tests.packets.listing import connection_of
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

MARK = 0xFEDCBA98  # each byte another, and more than 31 bits
NAT4 = Path(CLIENT, "10.0.0.7", 80, "10.2.0.17", 8080, mark=MARK)
NAT6 = Path(CLIENT6, "fd00::7", 80, "fd02::17", 8080, mark=MARK)
LOCALS = {CLIENT: "10.2.0.200", CLIENT6: "fd02::200"}
EVERY_FAMILY = pytest.mark.parametrize("path", [NAT4, NAT6], ids=["IPv4", "IPv6"])


def sent(rig: Rig, path: Path, hook: Hook = Hook.TC) -> tuple[Flow, Action]:
    """The flow of a new client port, and what became of its first packet."""
    flow = Flow(path, rig.port())
    return flow, rig.run(hook, flow.request(Shape()), mark=MARK).action


@EVERY_FAMILY
@pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE, Method.FULLNAT])
@pytest.mark.parametrize("port", [0, 8080], ids=["the packet's port", "a port of the server's"])
@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_a_mark_selects_the_service(rig: Rig, path: Path, method: Method, port: int, protocol: Protocol) -> None:
    """Whatever address, port and protocol; of direct routing the packet's port stays, as in IPVS."""
    local = LOCALS[path.client] if method is Method.FULLNAT else ""
    path = replace(path, method=method, server_port=port, local=local, protocol=protocol, virtual_port=443)
    rig.serve(path.row, locals_=path.locals)
    flow = Flow(path, rig.port())
    run = rig.run(Hook.TC, flow.request(Shape()), mark=MARK)
    assert run.is_forwarded
    if method is Method.FULLNAT:
        flow = localised(flow, run.frame)
        flow = replace(flow, is_told=True)  # nothing but a SYN has gone
    assert difference(run.frame, flow.to_server(Shape())) == ""
    later = Shape(flags="A")
    if method is not Method.FULLNAT:
        for hook in Hook:  # the connection is found without the mark
            run = rig.run(hook, flow.request(later))
            assert difference(run.frame, flow.to_server(later)) == ""


@EVERY_FAMILY
def test_connections_of_a_service_by_mark_are_listed_with_what_the_packet_was_for(rig: Rig, path: Path) -> None:
    path = replace(path, virtual_port=443)
    rig.serve(path.row)
    flow, action = sent(rig, path)
    assert action is Action.REDIRECT
    found = connection_of(flow)
    assert found
    assert (str(found.server), found.server_port) == (path.server, 8080)
    assert Director().status()[path.key].counters.connections >= 1


@EVERY_FAMILY
@pytest.mark.parametrize("mark", [0, 1, MARK - 1, int.from_bytes(MARK.to_bytes(4, "big"), "little")])
def test_another_mark_is_none(rig: Rig, path: Path, mark: int) -> None:
    rig.serve(path.row)
    flow = Flow(path, rig.port())
    run = rig.run(Hook.TC, flow.request(Shape()), mark=mark)
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_SERVICE": 1})


@EVERY_FAMILY
def test_a_mark_comes_before_the_address_and_an_unknown_one_falls_back_to_it(rig: Rig, path: Path) -> None:
    by_address = replace(path, mark=0, server=path.server[:-1] + "6")
    rig.serve(path.row, by_address.row)
    for mark, expected in ((MARK, path), (0, by_address), (MARK + 1, by_address)):
        flow = Flow(expected, rig.port())
        run = rig.run(Hook.TC, flow.request(Shape()), mark=mark)
        assert difference(run.frame, flow.to_server(Shape())) == ""


def test_families_have_marks_of_their_own(rig: Rig) -> None:
    """And the address of nobody that stands for a mark is no service's address."""
    rig.serve(NAT4.row)
    assert sent(rig, NAT6)[1] is Action.PASS
    rig.serve(NAT6.row)
    assert sent(rig, NAT4)[1] is Action.PASS
    rig.serve(NAT4.row, NAT6.row)
    assert {sent(rig, path)[1] for path in (NAT4, NAT6)} == {Action.REDIRECT}
    assert {one.key for one in Director().table().services()} == {
        ServiceKey.marked(MARK, family) for family in (Family.IPV4, Family.IPV6)
    }


@EVERY_FAMILY
@pytest.mark.parametrize("flags", ["A", "R", "FA"])
def test_a_segment_that_opens_nothing_opens_nothing_by_mark_either(rig: Rig, path: Path, flags: str) -> None:
    rig.serve(path.row)
    flow = Flow(path, rig.port())
    run = rig.run(Hook.TC, flow.request(Shape(flags=flags)), mark=MARK)
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_CONNECTION": 1})


@EVERY_FAMILY
def test_in_xdp_no_packet_has_a_mark(rig: Rig, path: Path) -> None:
    rig.serve(path.row)
    assert sent(rig, path, hook=Hook.XDP)[1] is Action.PASS


@EVERY_FAMILY
@pytest.mark.parametrize("method", [Method.NAT, Method.ROUTE, Method.FULLNAT])
def test_a_detoured_packet_keeps_the_ttl_that_the_kernel_has_lowered(rig: Rig, path: Path, method: Method) -> None:
    """Down to 1, which is enough for the last way; later packets, which do not come by the detour, are aged here."""
    local = LOCALS[path.client] if method is Method.FULLNAT else ""
    path = replace(path, method=method, server_port=0, local=local)
    rig.serve(path.row, locals_=path.locals)
    flow = Flow(path, rig.port())
    run = rig.run_detoured(flow.request(Shape(ttl=1)), "front", MARK)
    assert run.is_forwarded
    if method is Method.FULLNAT:
        flow = replace(localised(flow, run.frame), is_told=True)
    assert difference(run.frame, flow.to_server(Shape(ttl=2))) == ""


@EVERY_FAMILY
def test_nat_asks_the_routes_of_the_interface_that_a_detoured_packet_first_came_in_by(rig: Rig, path: Path) -> None:
    path = replace(path, server=path.server[:-1] + "4")  # a server whose next hop nobody has asked for yet
    rig.serve(path.row)
    frame = Flow(path, rig.port()).request(Shape())
    for link, verdicts in (("closed", {"DROP_NOT_FORWARDING": 1}), ("front", {})):
        assert rig.run_detoured(frame, link, MARK).verdicts == verdicts, link


@EVERY_FAMILY
@pytest.mark.parametrize("flags", ["A", "R"])
def test_a_detoured_packet_that_is_not_balanced_goes_up_the_stack(rig: Rig, path: Path, flags: str) -> None:
    rig.serve(path.row)
    frame = Flow(path, rig.port()).request(Shape(flags=flags))
    run = rig.run_detoured(frame, "front", MARK)
    assert (run.action, run.verdicts, run.frame[14:]) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, frame[14:])


@EVERY_FAMILY
@pytest.mark.parametrize("is_local", [True, False], ids=["the director's", "another's"])
@pytest.mark.parametrize("way", ["marked before", "detoured"])
def test_no_server_is_told_from_an_address_of_the_director_only(rig: Rig, path: Path, is_local: bool, way: str) -> None:
    """IPVS sends its ICMP error from the packet's destination, and cannot for an address that it has not."""
    mine, others = ("fd01::1", "fd09::5") if path.is_ipv6 else ("10.1.0.1", "10.9.0.5")
    path = replace(path, virtual=mine if is_local else others)
    key, server = path.row
    rig.serve((key, replace(server, weight=0)))
    frame = Flow(path, rig.port()).request(Shape())
    run = rig.run_detoured(frame, "front", MARK) if way == "detoured" else rig.run(Hook.TC, frame, mark=MARK)
    assert run.verdicts == {"DROP_NO_SERVER": 1}
    assert run.action is (Action.REDIRECT if is_local else Action.DROP)
    if is_local:
        answer = Ether(run.frame).payload
        assert (answer.src, answer.dst) == (path.virtual, path.client)
