# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bpvs.model import (
    Address,
    Method,
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
    Table,
    TableError,
    VirtualService,
)

KEY = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80)
OTHER = ServiceKey.at(Protocol.UDP, Address.parse("192.0.2.1"), 80)


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
]


@pytest.mark.parametrize(("error", "attempt"), REFUSALS)
def test_a_refused_operation_changes_nothing(error: type[TableError], attempt: Callable[[Table], None]) -> None:
    table = Table.of([(VirtualService(KEY), [server(2), server(1)])])
    with pytest.raises(error):
        attempt(table)
    assert lasts(table) == [2, 1]
    assert not (table.dirty or table.zeroed or table.fresh)


def test_unknown_services_have_no_servers() -> None:
    with pytest.raises(NoSuchService):
        filled().servers(OTHER)


def test_the_check_is_asked_last_and_can_refuse() -> None:
    asked: list[tuple[VirtualService, RealServer | None]] = []

    def check(service: VirtualService, real: RealServer | None) -> None:
        asked.append((service, real))
        if real is not None and real.weight > 5:
            raise NotBuilt("weights over 5 are not built yet")

    table = Table(check)
    table.add_service(VirtualService(KEY))
    table.add_server(KEY, server(1))
    for refused in (table.add_server, table.edit_server):
        with pytest.raises(NotBuilt):
            refused(KEY, server(2 if refused == table.add_server else 1, weight=6))
    with pytest.raises(ServerExists):
        table.add_server(KEY, server(1, weight=6))
    assert [s.weight for s in table.servers(KEY)] == [1]
    assert [(s.key, r and r.weight) for s, r in asked] == [(KEY, None), (KEY, 1), (KEY, 6), (KEY, 6)]


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
