# SPDX-License-Identifier: GPL-2.0-or-later
"""persist.h, template.h: a client's next connections go where its template says, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bpvs.kernel import _abi
from bpvs.lab.wait import until
from bpvs.model import Method, Protocol
from tests.packets.frames import Shape, difference
from tests.packets.listing import connection_of, quiescent_expires
from tests.packets.rig import Action, Hook, Rig
from tests.packets.sticky import SWEEP_S, TIMEOUT, nth_client, sticky

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
PROTOCOLS = pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP], ids=["TCP", "UDP"])


@pytest.fixture
def quiescent(rig: Rig) -> Iterator[None]:
    """expire_quiescent_template is 1."""
    quiescent_expires(True)
    yield
    quiescent_expires(False)


@HOOKS
@FAMILIES
@PROTOCOLS
def test_a_client_keeps_its_server(rig: Rig, hook: Hook, is_ipv6: bool, protocol: Protocol) -> None:
    """Round robin is asked once for each client."""
    service = sticky(rig, hook, is_ipv6=is_ipv6, protocol=protocol)
    asked = [service.ask(client) for client in (0, 1, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0)]
    assert asked == [11, 12, 13, 11, 11, 12, 13, 11, 11, 13, 12, 11]


@HOOKS
@FAMILIES
@PROTOCOLS
def test_the_template_as_it_is_listed(rig: Rig, hook: Hook, is_ipv6: bool, protocol: Protocol) -> None:
    service = sticky(rig, hook, is_ipv6=is_ipv6, protocol=protocol)
    assert service.ask(5) == 11
    one = service.template()
    assert (one.protocol, str(one.client), one.client_port) == (protocol, nth_client(5, is_ipv6), 0)
    assert (one.virtual, one.virtual_port) == (service.address, 80)
    assert (one.server, one.server_port) == (service.server(11).address, 8080)
    assert (one.state, one.engine, one.fwmark) == ("NONE", "", 0)
    assert TIMEOUT - 10 < one.expires <= TIMEOUT


@HOOKS
def test_packets_of_its_connections_are_forwarded_as_any(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    service.ask(0)
    flow = replace(service.flow(), path=replace(service.flow().path, server_port=8080))
    for shape in (Shape(), Shape(flags="A"), Shape(flags="PA", payload=b"question")):
        assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))
    answer = Shape(flags="A", payload=b"answer")
    assert not difference(rig.run(hook, flow.reply(answer), "back").frame, flow.to_client(answer))


@HOOKS
@pytest.mark.parametrize(
    ("netmask", "groups"),
    [(0xFFFFFFFF, 6), (0xFFFFFFFE, 4), (0xFFFFFF00, 2), (0xFF, 5), (0, 1)],
    ids=["32", "31", "24", "last byte", "0"],
)
def test_clients_under_one_mask_are_one(rig: Rig, hook: Hook, netmask: int, groups: int) -> None:
    """10.9.0.2 to .5 and 10.9.1.2, .6: by each mask other ones are the same."""
    service = sticky(rig, hook, netmask=netmask)
    clients = (2, 3, 4, 5, 256 + 2, 256 + 6)
    reached = {client: service.ask(client) for client in clients}
    assert {client: service.ask(client) for client in clients} == reached
    templates = service.templates()
    assert len(templates) == groups
    expected = {0x0A090000 + client & netmask for client in clients}
    assert {int.from_bytes(one.client.packed, "big") for one in templates} == expected


@HOOKS
@pytest.mark.parametrize(("netmask", "groups"), [(128, 3), (127, 2), (64, 1), (1, 1)])
def test_prefixes(rig: Rig, hook: Hook, netmask: int, groups: int) -> None:
    service = sticky(rig, hook, is_ipv6=True, netmask=netmask)
    for client in (2, 3, 4):
        service.ask(client)
    assert len(service.templates()) == groups


@HOOKS
def test_counts(rig: Rig, hook: Hook) -> None:
    """Templates are counted apart; every connection counts as one."""
    service = sticky(rig, hook, servers=(11,))
    for client in (1, 1, 2, 2, 2):
        service.ask(client)
    assert service.counts(11) == (2, 5, 0)
    assert service.status(11).counters.connections == 5


@HOOKS
@PROTOCOLS
def test_what_assures_a_template(rig: Rig, hook: Hook, protocol: Protocol) -> None:
    """TCP when it is established, UDP when a reply is seen: of all the client's connections the first that is."""
    service = sticky(rig, hook, protocol=protocol)
    service.open()
    flow = service.open()
    assert service.template().state == "NONE"
    rig.run(hook, flow.reply(Shape(flags="SA")), "back")
    assert service.template().state == ("NONE" if protocol is Protocol.TCP else "ASSURED")
    rig.run(hook, flow.request(Shape(flags="A")))
    assert service.template().state == "ASSURED"
    rig.run(hook, flow.request(Shape(flags="R")))
    assert service.template().state == "ASSURED"


@HOOKS
@pytest.mark.parametrize("method", [Method.ROUTE, Method.TUNNEL])
def test_datagrams_whose_replies_are_not_seen_assure_nothing(rig: Rig, hook: Hook, method: Method) -> None:
    service = sticky(rig, hook, protocol=Protocol.UDP, method=method, servers_port=80)
    flow = service.open()
    for _ in range(3):
        rig.run(hook, flow.request(Shape()))
    assert service.template().state == "NONE"


@HOOKS
def test_only_new_connections_restart_the_timer(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    flow = service.open()
    service.age(70)
    rig.run(hook, flow.request(Shape(flags="A")))
    rig.run(hook, flow.reply(Shape(flags="A")), "back")
    assert TIMEOUT - 80 < service.template().expires <= TIMEOUT - 70
    service.ask()
    assert TIMEOUT - 10 < service.template().expires <= TIMEOUT


def test_a_template_stays_while_it_has_connections_a_minute_at_a_time(rig: Rig) -> None:
    service = sticky(rig, Hook.XDP)
    first, second = service.open(), service.open()
    service.age(TIMEOUT + 1)
    until(lambda: 50 < service.template().expires <= 60, "a minute more", SWEEP_S)
    service.end(first)
    service.age(61)
    until(lambda: 50 < service.template().expires <= 60, "another minute", SWEEP_S)
    assert service.open().path.server == second.path.server
    assert 50 < service.template().expires <= 60  # from now on that is all that a new connection gives


@HOOKS
def test_after_its_end_a_client_is_scheduled_anew(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, persistence=1)
    for expected in (11, 12):
        flow = service.open()
        assert service.server_of(flow) == expected
        service.end(flow)
        service.age(70)
        service.wait_without_templates()
        assert service.counts(expected) == (0, 0, 0)


def test_a_row_that_a_template_leaves_serves_others(rig: Rig) -> None:
    """Templates and connections take each other's rows, and nothing of what was is left in them."""
    service = sticky(rig, Hook.XDP, servers=(11,))
    for _ in range(2):
        flows = [service.open(client) for client in (1, 2, 3)]
        assert service.counts(11) == (3, 3, 0)
        for flow in flows:
            service.end(flow)
        service.age(1000)
        until(lambda: service.counts(11) == (0, 0, 0), "all should end", SWEEP_S)


@HOOKS
def test_edits_are_for_later_templates(rig: Rig, hook: Hook) -> None:
    """-E with another timeout and mask; without -p the templates stay until their time."""
    service = sticky(rig, hook)
    service.ask(2)
    with rig.change() as table:
        table.edit_service(replace(service.service, persistence=500, netmask=0xFFFFFF00))
    assert service.ask(2) == 12
    service.ask(3)
    found = {str(one.client): round(one.expires) for one in service.templates()}
    assert found == {"10.9.0.2": TIMEOUT, "10.9.0.0": 500}
    with rig.change() as table:
        table.edit_service(replace(service.service, persistence=None))
    assert [service.ask(2) for _ in range(3)] == [13, 11, 12]
    assert len(service.templates()) == 2
    with rig.change() as table:
        table.edit_service(service.service)
    assert service.ask(2) == 11


@HOOKS
def test_another_scheduler_changes_nothing_for_known_clients(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    known = {client: service.ask(client) for client in range(4)}
    with rig.change() as table:
        table.edit_service(replace(service.service, scheduler="wrr"))
    assert {client: service.ask(client) for client in range(4)} == known


@HOOKS
def test_weight_0_keeps_who_is_known(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    assert service.ask(1) == 11
    for number in (11, 12, 13):
        with rig.change() as table:
            table.edit_server(service.key, service.server(number, weight=0))
    assert service.ask(1) == 11
    assert service.ask(2) is None


@HOOKS
@pytest.mark.usefixtures("quiescent")
def test_quiet_servers_lose_their_clients_where_the_setting_says_so(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    assert service.ask(1) == 11
    with rig.change() as table:
        table.edit_server(service.key, service.server(11, weight=0))
    assert service.ask(1) == 12
    shown = {(one.virtual_port, one.server_port, str(one.server)) for one in service.templates()}
    assert shown == {(65535, 65535, "10.2.0.11"), (80, 8080, "10.2.0.12")}
    with rig.change() as table:
        table.edit_server(service.key, service.server(11))
    assert service.ask(1) == 12
    assert service.counts(11) == (1, 1, 0)
    assert service.counts(12) == (1, 2, 0)


@HOOKS
@FAMILIES
def test_a_removed_server_loses_its_clients(rig: Rig, hook: Hook, is_ipv6: bool) -> None:
    service = sticky(rig, hook, is_ipv6=is_ipv6)
    service.end(service.open(1))
    with rig.change() as table:
        table.delete_server(service.key, service.server(11).address, 8080)
    assert service.ask(1) == 12
    assert {(one.virtual_port, one.server_port) for one in service.templates()} == {(65535, 65535), (80, 8080)}
    with rig.change() as table:  # it comes back with what it had, but its former client has another now
        table.add_server(service.key, service.server(11))
    assert service.ask(1) == 12
    assert service.counts(11) == (1, 0, 0)
    service.age(TIMEOUT + 1)
    until(lambda: service.counts(11) == (0, 0, 0), "what leads nowhere should end", SWEEP_S)
    assert service.ask(1) == 12
    assert service.counts(12) == (1, 3, 0)


@HOOKS
def test_the_port_of_a_connection_to_a_removed_server_is_free_for_another(rig: Rig, hook: Hook) -> None:
    """conn_reuse_mode spares connections of templates, but the template of a removed server sends nobody there."""
    service = sticky(rig, hook)
    flow = service.open(1)
    with rig.change() as table:
        table.delete_server(service.key, service.server(11).address, 8080)
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    one = connection_of(flow)
    assert one is not None
    assert str(one.server) == "10.2.0.12"


@HOOKS
def test_a_server_that_comes_back_before_anybody_asks_has_its_clients_still(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    assert [service.ask(client) for client in (1, 2)] == [11, 12]
    with rig.change() as table:
        table.delete_server(service.key, service.server(12).address, 8080)
    with rig.change() as table:
        table.add_server(service.key, service.server(12))
    assert service.counts(12) == (1, 1, 0)
    assert service.ask(2) == 12


@HOOKS
def test_a_service_that_is_made_again_knows_its_clients(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook)
    assert [service.ask(client) for client in (1, 2, 3, 4)] == [11, 12, 13, 11]
    for make in ((), (11, 12, 13)):
        with rig.change() as table:
            if not make:
                table.delete_service(service.key)
            else:
                table.add_service(service.service)
                for number in make:
                    table.add_server(service.key, service.server(number))
    assert [service.ask(client) for client in (4, 3, 2, 1)] == [11, 13, 12, 11]


@HOOKS
def test_a_full_server_keeps_who_is_known(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, servers=(11,))
    with rig.change() as table:
        table.edit_server(service.key, service.server(11, upper=2))
    assert [service.ask(client) for client in (1, 1, 1, 2, 1)] == [11, 11, 11, None, 11]
    assert service.counts(11) == (1, 4, 0)


@HOOKS
def test_no_server_is_told_and_nothing_remembered(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, servers=())
    frame = service.flow().request(Shape())
    assert rig.run(Hook.TC, frame).verdicts == {"DROP_NO_SERVER": 1}
    assert service.templates() == []


@HOOKS
def test_a_closed_connection_of_a_template_is_used_again(rig: Rig, hook: Hook) -> None:
    """conn_reuse_mode is not for connections of persistent services: the template would send them there anyhow."""
    service = sticky(rig, hook, servers=(11,))
    flow = service.open()
    for frame, link in (
        (flow.reply(Shape(flags="SA")), "back"),
        (flow.request(Shape(flags="A")), "front"),
        (flow.request(Shape(flags="FA")), "front"),
        (flow.reply(Shape(flags="FA")), "back"),
        (flow.request(Shape(flags="S")), "front"),
    ):
        assert rig.run(hook, frame, link).is_forwarded
    one = connection_of(flow)
    assert one is not None
    assert one.state == "SYN_RECV"
    assert service.status(11).counters.connections == 1
    assert service.counts(11) == (1, 1, 0)


@HOOKS
@pytest.mark.parametrize("method", [Method.NAT, Method.FULLNAT, Method.ROUTE, Method.TUNNEL], ids=lambda one: one.name)
@FAMILIES
def test_every_method(rig: Rig, hook: Hook, method: Method, is_ipv6: bool) -> None:
    service = sticky(rig, hook, method=method, is_ipv6=is_ipv6, servers_port=80)
    if method is Method.FULLNAT:
        with rig.change() as table:
            table.add_local(service.key, type(service.address).parse("fd02::222" if is_ipv6 else "10.2.0.222"))
    assert [service.ask(client) for client in (1, 2, 1, 2, 1)] == [11, 12, 11, 12, 11]


@HOOKS
def test_a_server_with_another_method_from_now_on(rig: Rig, hook: Hook) -> None:
    service = sticky(rig, hook, servers=(11,), servers_port=80)
    assert service.ask(1) == 11
    with rig.change() as table:
        table.edit_server(service.key, replace(service.server(11), method=Method.ROUTE))
    flow = service.flow(1)
    routed = replace(flow, path=replace(flow.path, method=Method.ROUTE))
    assert not difference(rig.run(hook, flow.request(Shape())).frame, routed.to_server(Shape()))


def test_both_hooks_share_templates(rig: Rig) -> None:
    service = sticky(rig, Hook.XDP)
    at_tc = replace(service, hook=Hook.TC)
    assert [service.ask(1), at_tc.ask(1), at_tc.ask(2), service.ask(2)] == [11, 11, 12, 12]


def test_a_full_table_has_no_room_for_a_template(small: Rig) -> None:
    with small.inside():
        service = sticky(small, Hook.TC, protocol=Protocol.UDP)
        bare = Shape(transport={"chksum": 0})
        room = _abi.MIN_CONNS - 1
        for _ in range(room):
            assert small.run_uncounted(Hook.TC, service.flow(1).request(bare))[0] is Action.REDIRECT
        assert small.run(Hook.TC, service.flow(1).request(bare)).verdicts == {"DROP_TABLE_FULL": 1}
        assert small.run(Hook.TC, service.flow(2).request(bare)).verdicts == {"DROP_TABLE_FULL": 1}
        persistent = [service.counts(number) for number in (11, 12, 13)]
        assert persistent == [(1, 0, room), (0, 0, 0), (0, 0, 0)]
