# SPDX-License-Identifier: GPL-2.0-or-later
"""service.h, persist.h: services that take other ports than their own: port 0, and FTP's data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.model import Method, Protocol, RealServer, ServiceKey, VirtualService
from tests.packets.frames import Flow, Shape, difference
from tests.packets.listing import connection_of
from tests.packets.rig import Action, Hook, Rig
from tests.packets.sticky import Sticky, sticky

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
PROTOCOLS = pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP], ids=["TCP", "UDP"])
FTP = 21
DATA = (20, 1024, 50000, 65535)


def ports_of(flow: Flow) -> tuple[int, int]:
    """The flow's virtual port and the port that it goes to."""
    one = connection_of(flow)
    assert one is not None
    return one.virtual_port, one.server_port


def beside(service: Sticky, port: int, server: int, persistence: int | None = None) -> ServiceKey:
    """Another service at the same address, with one server."""
    assert service.key.protocol is not None
    key = ServiceKey.at(service.key.protocol, service.address, port)
    with service.rig.change() as table:
        table.add_service(VirtualService(key, "rr", persistence=persistence))
        table.add_server(key, RealServer(service.server(server).address, 8080, Method.NAT))
    return key


def passes(rig: Rig, hook: Hook, flow: Flow, verdict: str, flags: str = "S") -> None:
    """The packet goes on to the stack as it came."""
    frame = flow.request(Shape(flags=flags))
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {verdict: 1}, frame)


@HOOKS
@FAMILIES
@PROTOCOLS
def test_port_0_takes_every_port_of_a_client_to_one_server(
    rig: Rig, hook: Hook, is_ipv6: bool, protocol: Protocol
) -> None:
    service = sticky(rig, hook, port=0, protocol=protocol, is_ipv6=is_ipv6)
    assert [service.ask(client, port) for client in (1, 2, 1) for port in (1, 20, 21, 80, 443, 65535)] == [
        *[11] * 6,
        *[12] * 6,
        *[11] * 6,
    ]
    flow = service.open(1, 443)
    assert ports_of(flow) == (443, 443)
    assert not difference(rig.run(hook, flow.request(Shape(flags="A"))).frame, flow.to_server(Shape(flags="A")))
    shown = {(one.virtual_port, one.server_port, one.protocol) for one in service.templates()}
    assert shown == {(0, 0, protocol)}
    assert len(service.templates()) == 2


@HOOKS
def test_port_0_of_tcp_and_of_udp_know_clients_apart(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=0)
    key = ServiceKey.at(Protocol.UDP, service.address, 0)
    with rig.change() as table:
        table.add_service(VirtualService(key, "rr", persistence=50))
        table.add_server(key, service.server(13))
    assert service.ask(1, 53) == 11
    flow = service.flow(1, 53, Protocol.UDP)
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    assert service.server_of(flow) == 13
    assert {(one.protocol, round(one.expires)) for one in service.templates()} == {
        (Protocol.TCP, 100),
        (Protocol.UDP, 50),
    }


@HOOKS
def test_port_0_ignores_the_port_of_its_servers(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=0, servers_port=8080)
    assert ports_of(service.open(1, 443)) == (443, 443)


@HOOKS
def test_a_server_without_port_gets_the_packets_port(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, servers_port=0)
    assert ports_of(service.open(1)) == (80, 80)


@HOOKS
@PROTOCOLS
def test_the_service_of_a_port_comes_before_port_0(rig: Rig, hook: Hook, protocol: Protocol) -> None:
    service = sticky(rig, hook, port=0, protocol=protocol, servers=(11,))
    key = beside(service, 443, 12)
    assert [service.ask(1, port) for port in (442, 443, 444)] == [11, 12, 11]
    with rig.change() as table:
        table.delete_service(key)
    assert service.ask(1, 443) == 11


@HOOKS
def test_what_opens_nothing_passes_at_any_port(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=0)
    passes(rig, hook, service.flow(1, 22), "PASS_NO_CONNECTION", "A")
    passes(rig, hook, replace(service.flow(1, 22), port=20), "PASS_NO_CONNECTION")
    assert service.templates() == []


@HOOKS
def test_port_0_without_a_server_refuses(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=0, servers=())
    assert rig.run(Hook.TC, service.flow(1, 22).request(Shape())).verdicts == {"DROP_NO_SERVER": 1}


@HOOKS
def test_port_0_that_is_not_persistent_refuses(rig: Rig, hook: Hook) -> None:
    """ipvsadm accepts none; IPVS says that nothing is available."""
    service = sticky(rig, hook, port=0, persistence=None)
    assert rig.run(Hook.TC, service.flow(1, 22).request(Shape())).verdicts == {"DROP_NO_SERVER": 1}
    passes(rig, hook, service.flow(1, 22), "PASS_NO_CONNECTION", "A")


@HOOKS
@FAMILIES
def test_ftp_data_goes_where_the_session_is(rig: Rig, hook: Hook, is_ipv6: bool) -> None:
    service = sticky(rig, hook, port=FTP, is_ipv6=is_ipv6)
    assert [service.ask(client) for client in (1, 2)] == [11, 12]
    for port in DATA:
        assert [service.ask(client, port) for client in (2, 1)] == [12, 11]
        assert ports_of(service.open(1, port)) == (port, port)
    assert ports_of(service.open(1)) == (FTP, 8080)
    assert {(one.virtual_port, one.server_port) for one in service.templates()} == {(0, 0)}
    assert len(service.templates()) == 2


@HOOKS
@pytest.mark.parametrize("port", [19, 22, 80, 1023])
def test_low_ports_are_none_of_ftp(rig: Rig, hook: Hook, port: int) -> None:
    service = sticky(rig, hook, port=FTP)
    service.ask(1)
    passes(rig, hook, service.flow(1, port), "PASS_NO_SERVICE")


@HOOKS
@pytest.mark.parametrize("port", DATA)
def test_datagrams_are_none_of_ftp(rig: Rig, hook: Hook, port: int) -> None:
    service = sticky(rig, hook, port=FTP)
    passes(rig, hook, service.flow(1, port, Protocol.UDP), "PASS_NO_SERVICE")
    service = sticky(rig, hook, port=FTP, protocol=Protocol.UDP)
    passes(rig, hook, service.flow(1, port), "PASS_NO_SERVICE")


@HOOKS
def test_ftp_comes_before_port_0_and_behind_a_port_of_its_own(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=FTP, servers=(11,))
    beside(service, 0, 12, persistence=100)
    beside(service, 5000, 13)
    assert [service.ask(1, port) for port in (FTP, 4999, 5000, 1023)] == [11, 11, 13, 11]
    assert [service.ask(2, port) for port in (1023, 4999)] == [12, 12]  # both know clients by one key, as in IPVS


@HOOKS
@pytest.mark.parametrize("port", DATA)
def test_without_persistence_ftp_data_passes(rig: Rig, hook: Hook, port: int) -> None:
    service = sticky(rig, hook, port=FTP, persistence=None)
    assert service.ask(1) == 11
    passes(rig, hook, service.flow(1, port), "PASS_NO_SERVICE")
    passes(rig, hook, service.flow(1, port), "PASS_NO_CONNECTION", "A")


@HOOKS
def test_without_a_server_the_session_is_refused_and_its_data_passes(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, port=FTP, servers=())
    assert rig.run(Hook.TC, service.flow(1).request(Shape())).verdicts == {"DROP_NO_SERVER": 1}
    passes(rig, hook, service.flow(1, 2000), "PASS_NO_SERVICE")
