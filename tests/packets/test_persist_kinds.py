# SPDX-License-Identifier: GPL-2.0-or-later
"""persist.h: services by mark, behind SYNPROXY, with servers of the other family."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bpvs.director import Director
from bpvs.model import Address, Connection, Family, Method, Protocol, RealServer, ServiceKey, VirtualService
from tests.packets.cookies import Offer
from tests.packets.frames import Flow, Path, Shape
from tests.packets.listing import connection_of
from tests.packets.proxied import ISN, greeted, offering
from tests.packets.rig import Action, Hook, Rig
from tests.packets.sticky import Sticky, nth_client, sticky

pytestmark = pytest.mark.root

FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
SERVERS = (11, 12, 13)


def marked(rig: Rig, mark: int, is_ipv6: bool, persistence: int = 100) -> ServiceKey:
    """A persistent service by mark; its servers, asked in the order 11, 12, 13, have port 8080."""
    key = ServiceKey.marked(mark, Family.IPV6 if is_ipv6 else Family.IPV4)
    with rig.change() as table:
        table.clear()
        table.add_service(VirtualService(key, "rr", persistence=persistence))
        for number in reversed(SERVERS):
            address = Address.parse(f"fd02::{number}" if is_ipv6 else f"10.2.0.{number}")
            table.add_server(key, RealServer(address, 8080, Method.NAT))
    return key


def connect(rig: Rig, mark: int, client: int, is_ipv6: bool, port: int, protocol: Protocol) -> Connection:
    """A new connection of a marked packet to whatever address and port."""
    flow = flow_to(rig, client, is_ipv6, port, protocol)
    assert rig.run(Hook.TC, flow.request(Shape()), mark=mark).is_forwarded
    one = connection_of(flow)
    assert one is not None
    return one


def flow_to(rig: Rig, client: int, is_ipv6: bool, port: int, protocol: Protocol) -> Flow:
    """From that client to a port, at an address that no other port has."""
    virtual = f"fd00:2::{port:x}" if is_ipv6 else f"10.13.{port >> 8}.{port & 0xFF}"
    return Flow(Path(nth_client(client, is_ipv6), virtual, port, "10.2.0.11", 0, protocol), rig.port())


@FAMILIES
def test_a_mark_is_one_for_all_addresses_ports_and_protocols(rig: Rig, is_ipv6: bool) -> None:
    """Servers' ports count for nothing: the packet's stays. The template shows the mark in the place of an address."""
    mark = 0x01000000 + rig.port()
    marked(rig, mark, is_ipv6)
    for client, number in ((1, 11), (2, 12), (1, 11)):
        for port, protocol in product((80, 443, 8080), (Protocol.TCP, Protocol.UDP)):
            one = connect(rig, mark, client, is_ipv6, port, protocol)
            assert str(one.server).endswith(str(number))
            assert one.server_port == port
    high, low = mark >> 16, mark & 0xFFFF
    shown = Address.parse(f"{high:x}:{low:x}::" if is_ipv6 else f"1.0.{low >> 8}.{low & 0xFF}")
    mine = [one for one in Director().connections() if one.is_template and one.virtual == shown]
    assert {(one.protocol, one.virtual_port, one.server_port, one.client_port) for one in mine} == {(None, 0, 0, 0)}
    assert {str(one.client) for one in mine} == {nth_client(1, is_ipv6), nth_client(2, is_ipv6)}


def test_marks_know_their_clients_apart(rig: Rig) -> None:
    mark = 0x02000000 + rig.port()
    marked(rig, mark, False)
    assert str(connect(rig, mark, 1, False, 80, Protocol.TCP).server) == "10.2.0.11"
    assert str(connect(rig, mark, 2, False, 80, Protocol.TCP).server) == "10.2.0.12"
    marked(rig, mark + 1, False)
    assert str(connect(rig, mark + 1, 2, False, 80, Protocol.TCP).server) == "10.2.0.11"


def proves(service: Sticky, client: int) -> int | None:
    """The client answers its cookie: the server that its connection then goes to."""
    flow = service.flow(client)
    before = service.templates()
    cookie = greeted(service.rig, Hook.TC, flow, Offer())
    assert len(service.templates()) == len(before)
    ack = Shape(flags="A", transport={"seq": (ISN + 1) % 2**32, "ack": (cookie + 1) % 2**32, "window": 502})
    assert service.rig.run(Hook.TC, flow.request(ack)).action is Action.REDIRECT
    return service.server_of(flow)


@FAMILIES
def test_behind_synproxy(rig: Rig, is_ipv6: bool) -> None:
    """The template is asked, and made, when the client has proved itself."""
    service = sticky(rig, Hook.TC, is_ipv6=is_ipv6, synproxy=True)
    assert [proves(service, client) for client in (1, 2, 1, 2)] == [11, 12, 11, 12]
    assert len(service.templates()) == 2


def test_behind_synproxy_a_known_client_reaches_a_quiet_server(rig: Rig) -> None:
    service = sticky(rig, Hook.TC, synproxy=True, servers=(11,))
    for weight in (1, 0):
        with rig.change() as table:
            table.edit_server(service.key, service.server(11, weight=weight))
        assert proves(service, 1) == 11
    with rig.change() as table:
        table.delete_server(service.key, service.server(11).address, 8080)
    assert rig.run(Hook.TC, service.flow(1).request(offering(Offer()))).verdicts == {"DROP_NO_SERVER": 1}


def test_behind_synproxy_an_unknown_ack_at_another_port_is_somebody_elses(rig: Rig) -> None:
    service = sticky(rig, Hook.TC, port=0, synproxy=True)
    frame = service.flow(1, 22).request(Shape(flags="A"))
    run = rig.run(Hook.TC, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, frame)
    flow = service.flow(1, 443)
    greeted(rig, Hook.TC, flow, Offer())


@pytest.mark.parametrize("hook", Hook)
@FAMILIES
def test_tunnels_to_the_other_family(rig: Rig, hook: Hook, is_ipv6: bool) -> None:
    service = sticky(rig, hook, is_ipv6=is_ipv6, servers=(), method=Method.TUNNEL, servers_port=80)
    with rig.change() as table:
        for number in (12, 11):
            address = Address.parse(f"10.2.0.{number}" if is_ipv6 else f"fd02::{number}")
            table.add_server(service.key, replace(service.server(number), address=address))
    assert [service.ask(client) for client in (1, 2, 1, 2, 1)] == [11, 12, 11, 12, 11]
    assert {one.server.is_ipv6 for one in service.templates()} == {not is_ipv6}
