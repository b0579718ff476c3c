# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest

from bpvs.model import (
    KEEP_TIMEOUTS,
    Address,
    Check,
    Family,
    InvalidLocal,
    InvalidSysctl,
    LocalExists,
    Method,
    NoRoom,
    NoSuchLocal,
    NoSuchServer,
    NoSuchService,
    NotBuilt,
    OutOfRange,
    Protocol,
    RealServer,
    ServerExists,
    ServiceExists,
    ServiceKey,
    ServiceNotDefined,
    SynproxyMethod,
    Table,
    TableError,
    Timeouts,
    VirtualService,
)

KEY = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80)
OTHER = ServiceKey.at(Protocol.UDP, Address.parse("192.0.2.1"), 80)
THIRD = ServiceKey.marked(7)
LOCALS = (Address.parse("10.0.1.9"), Address.parse("10.0.1.1"))


def server(last: int, weight: int = 1, upper: int = 0, lower: int = 0) -> RealServer:
    return RealServer(Address.parse(f"10.0.0.{last}"), 80, Method.NAT, weight, upper, lower)


def filled() -> Table:
    table = Table()
    table.add_service(VirtualService(KEY, "rr"))
    for last in (1, 2, 3):
        table.add_server(KEY, server(last))
    return table


def lasts(table: Table) -> list[int]:
    return [s.address.packed[-1] for s in table.servers(KEY)]


def test_the_newest_server_comes_first() -> None:
    assert lasts(filled()) == [3, 2, 1]


def test_an_edited_server_keeps_its_place() -> None:
    table = filled()
    table.edit_server(KEY, server(2, weight=7))
    assert [(s.address.packed[-1], s.weight) for s in table.servers(KEY)] == [(3, 1), (2, 7), (1, 1)]


def test_a_server_that_comes_back_is_the_newest() -> None:
    table = filled()
    table.delete_server(KEY, server(1).address, 80)
    table.add_server(KEY, server(1))
    assert lasts(table) == [1, 3, 2]


def test_an_edited_service_keeps_its_servers_and_loses_its_settings() -> None:
    table = filled()
    table.edit_service(VirtualService(KEY, persistence=60))
    assert table.service(KEY) == VirtualService(KEY, "wlc", persistence=60)
    assert lasts(table) == [3, 2, 1]


REFUSALS: list[tuple[type[TableError], Callable[[Table], None]]] = [
    (ServiceExists, lambda t: t.add_service(VirtualService(KEY))),
    (NoSuchService, lambda t: t.edit_service(VirtualService(OTHER))),
    (NoSuchService, lambda t: t.delete_service(OTHER)),
    (NoSuchService, lambda t: t.zero(OTHER)),
    (ServiceNotDefined, lambda t: t.add_server(OTHER, server(1))),
    (ServiceNotDefined, lambda t: t.edit_server(OTHER, server(1))),
    (ServiceNotDefined, lambda t: t.delete_server(OTHER, server(1).address, 80)),
    (ServiceNotDefined, lambda t: t.add_server(OTHER, server(1, lower=2, upper=1))),
    (ServerExists, lambda t: t.add_server(KEY, server(1))),
    (OutOfRange, lambda t: t.add_server(KEY, server(1, lower=2, upper=1))),
    (OutOfRange, lambda t: t.edit_server(KEY, server(9, lower=1))),
    (NoSuchServer, lambda t: t.edit_server(KEY, server(9))),
    (NoSuchServer, lambda t: t.delete_server(KEY, server(1).address, 81)),
    (ServiceNotDefined, lambda t: t.add_local(OTHER, Address.parse("::1"))),
    (ServiceNotDefined, lambda t: t.delete_local(OTHER, LOCALS[0])),
    (LocalExists, lambda t: t.add_local(KEY, LOCALS[0])),
    (NoSuchLocal, lambda t: t.delete_local(KEY, Address.parse("10.0.1.2"))),
    (InvalidLocal, lambda t: t.add_local(KEY, Address.parse("127.0.0.1"))),
    (InvalidLocal, lambda t: t.add_local(KEY, Address.parse("2001:db8::1"))),
]


@pytest.mark.parametrize(("error", "attempt"), REFUSALS)
def test_a_refused_operation_changes_nothing(error: type[TableError], attempt: Callable[[Table], None]) -> None:
    table = Table.of([(VirtualService(KEY), [server(2), server(1)], LOCALS)])
    with pytest.raises(error):
        attempt(table)
    assert lasts(table) == [2, 1]
    assert table.locals(KEY) == LOCALS
    assert not (table.dirty or table.zeroed or table.fresh)


def test_unknown_services_have_neither_servers_nor_local_addresses() -> None:
    with pytest.raises(NoSuchService):
        filled().servers(OTHER)
    with pytest.raises(NoSuchService):
        filled().locals(OTHER)


def test_local_addresses_come_oldest_first() -> None:
    table = filled()
    for address in LOCALS:
        table.add_local(KEY, address)
    assert table.locals(KEY) == LOCALS
    table.delete_local(KEY, LOCALS[0])
    table.add_local(KEY, LOCALS[0])
    assert table.locals(KEY) == LOCALS[::-1]


def test_local_addresses_stay_with_an_edit_and_go_with_the_service() -> None:
    table = Table.of([(VirtualService(KEY), [server(1)], LOCALS)])
    table.edit_service(VirtualService(KEY, "rr"))
    assert table.copy().locals(KEY) == LOCALS
    table.delete_service(KEY)
    table.add_service(VirtualService(KEY))
    assert table.locals(KEY) == ()
    table.add_local(KEY, LOCALS[0])
    table.clear()
    table.add_service(VirtualService(KEY))
    assert table.locals(KEY) == ()


@pytest.mark.parametrize("change", [Table.add_local, Table.delete_local])
def test_a_change_of_local_addresses_is_one_of_the_service(
    change: Callable[[Table, ServiceKey, Address], None],
) -> None:
    table = Table.of([(VirtualService(KEY), [], LOCALS[:1])])
    change(table, KEY, LOCALS[change is Table.add_local])
    assert (table.dirty, table.fresh, table.journal) == ({KEY}, set(), {})


def test_an_ipv6_service_has_local_addresses_of_both_families() -> None:
    table = Table()
    for key in (ServiceKey.at(Protocol.TCP, Address.parse("2001:db8::1"), 80), ServiceKey.marked(7, Family.IPV6)):
        table.add_service(VirtualService(key))
        for text in ("10.0.1.1", "2001:db8::2"):
            table.add_local(key, Address.parse(text))
        assert [str(address) for address in table.locals(key)] == ["10.0.1.1", "2001:db8::2"]


@pytest.mark.parametrize("method", [Method.ROUTE, Method.TUNNEL])
def test_synproxy_and_servers_that_answer_past_the_director_exclude_each_other(method: Method) -> None:
    past = RealServer(server(1).address, 80, method)
    table = Table.of([(VirtualService(KEY, synproxy=True), [server(1)], ())])
    for attempt, real in ((table.edit_server, past), (table.add_server, RealServer(server(2).address, 80, method))):
        with pytest.raises(SynproxyMethod):
            attempt(KEY, real)
    with pytest.raises(ServerExists):
        table.add_server(KEY, past)
    assert ([s.method for s in table.servers(KEY)], table.dirty) == ([Method.NAT], set())
    table.edit_service(VirtualService(KEY))
    table.edit_server(KEY, past)
    with pytest.raises(SynproxyMethod):
        table.edit_service(VirtualService(KEY, synproxy=True))
    assert not table.service(KEY).synproxy
    table.edit_service(VirtualService(KEY, "rr"))


def test_synproxy_goes_with_servers_that_answer_through_the_director() -> None:
    table = Table()
    table.add_service(VirtualService(KEY, synproxy=True))
    for last, method in ((1, Method.NAT), (2, Method.FULLNAT), (3, Method.LOCAL)):
        table.add_server(KEY, RealServer(server(last).address, 80, method))
    table.edit_service(VirtualService(KEY, "rr", synproxy=True))
    assert (lasts(table), table.service(KEY).synproxy) == ([3, 2, 1], True)


def test_the_check_is_asked_last_and_can_refuse() -> None:
    asked: list[object] = []

    class Recorder(Check):
        def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
            asked.append([real.weight for real in servers])
            if service.ops:
                raise NotBuilt("one-packet scheduling is not built yet")

        def server(self, service: VirtualService, server: RealServer) -> None:
            asked.append(server.weight)
            if server.weight > 5:
                raise NotBuilt("weights over 5 are not built yet")

        def local(self, service: VirtualService, address: Address) -> None:
            asked.append(address)
            if address == LOCALS[1]:
                raise NotBuilt("this address is not built yet")

    table = Table(Recorder())
    table.add_service(VirtualService(KEY))
    table.add_server(KEY, server(1))
    for refused in (table.add_server, table.edit_server):
        with pytest.raises(NotBuilt):
            refused(KEY, server(2 if refused == table.add_server else 1, weight=6))
    with pytest.raises(ServerExists):
        table.add_server(KEY, server(1, weight=6))
    with pytest.raises(NotBuilt):
        table.edit_service(VirtualService(KEY, ops=True))
    table.add_local(KEY, LOCALS[0])
    with pytest.raises(NotBuilt):
        table.add_local(KEY, LOCALS[1])
    assert [s.weight for s in table.servers(KEY)] == [1]
    assert not table.service(KEY).ops
    assert table.locals(KEY) == (LOCALS[0],)
    assert asked == [[], 1, 6, 6, [1], *LOCALS]


def test_room_is_asked_for_before_anything_is_added() -> None:
    class Small(Check):
        def room(self, services: int, servers: int) -> None:
            if services > 2 or servers > 3:
                raise NoRoom

    table = Table.of([(VirtualService(KEY), [server(1), server(2)], ())], Small())
    table.add_service(VirtualService(OTHER))
    table.add_server(OTHER, server(1))
    with pytest.raises(NoRoom):
        table.add_server(OTHER, server(2))
    with pytest.raises(NoRoom):
        table.add_service(VirtualService(THIRD))
    table.edit_server(KEY, server(1, weight=5))
    table.delete_server(KEY, server(1).address, 80)
    table.add_server(OTHER, server(2))
    table.delete_service(OTHER)
    table.add_server(KEY, server(3))
    table.add_server(KEY, server(4))
    table.clear()
    table.add_service(VirtualService(THIRD))
    for last in range(3):
        table.add_server(THIRD, server(last))
    with pytest.raises(NoRoom):
        table.add_server(THIRD, server(9))


def test_timeouts_add_up() -> None:
    table = filled()
    assert table.timeouts == KEEP_TIMEOUTS
    table.set_timeouts(Timeouts(1, 2, 0))
    table.set_timeouts(Timeouts(0, 3, 0))
    assert table.timeouts == Timeouts(1, 3, 0)
    assert table.copy().timeouts == KEEP_TIMEOUTS


def test_changes_are_noted() -> None:
    table = filled().copy()
    assert not (table.dirty or table.fresh)
    table.add_service(VirtualService(OTHER))
    table.delete_server(KEY, server(1).address, 80)
    assert (table.dirty, table.fresh) == ({KEY, OTHER}, {OTHER})
    table.delete_service(KEY)
    table.add_service(VirtualService(KEY))
    assert table.fresh == {KEY, OTHER}
    table.clear()
    assert (list(table.services()), len(table), table.fresh) == ([], 0, set())
    assert table.dirty == {KEY, OTHER}


def test_zeroing_is_noted() -> None:
    table = filled()
    table.zero(KEY)
    assert (table.zeroed, table.zeroed_all) == ({KEY}, False)
    table.zero(None)
    assert table.zeroed_all
    table.delete_service(KEY)
    assert table.zeroed == set()


def test_a_copy_lives_by_itself() -> None:
    table = filled()
    copy = table.copy()
    copy.delete_service(KEY)
    assert table.has(KEY)
    assert not copy.has(KEY)


def test_operations_do_not_slow_down_with_the_number_of_servers() -> None:
    def seconds(count: int) -> float:
        table = Table()
        table.add_service(VirtualService(KEY))
        servers = [RealServer(Address.parse(f"10.1.{i >> 8}.{i & 255}"), 80) for i in range(count)]
        start = time.perf_counter()
        for real in servers:
            table.add_server(KEY, real)
            table.edit_server(KEY, real)
        for real in servers:
            table.delete_server(KEY, real.address, real.port)
        return time.perf_counter() - start

    # Quadratic work would take 256 times as long instead of 16 times; the best of three is nearly free of noise.
    assert min(seconds(16000) for _ in range(3)) < 100 * min(seconds(1000) for _ in range(3))


def test_settings_change_together_or_not_at_all() -> None:
    table = Table()
    table.set_sysctls({"drop_packet": 3, "conntrack": 0})
    with pytest.raises(InvalidSysctl):
        table.set_sysctls({"sloppy_tcp": 1, "conntrack": 1})
    assert table.sysctls == {"drop_packet": 3}
