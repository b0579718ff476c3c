# SPDX-License-Identifier: GPL-2.0-or-later
"""Each operation is one change, and an error leaves the table as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bpvs.model import (
    Address,
    Counters,
    InvalidServer,
    Method,
    NoSuchServer,
    NoSuchService,
    Protocol,
    RealServer,
    ServerExists,
    ServiceKey,
    ServiceStatus,
    Timeouts,
    Totals,
    Tunnel,
    TunnelType,
    VirtualService,
)
from bpvs.testing import MemoryDirector

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.1"), 80)
OTHER = ServiceKey.at(Protocol.UDP, Address.parse("10.0.0.1"), 53)
ONE = RealServer(Address.parse("10.0.1.1"), 80, Method.TUNNEL, 3, 20, 10, Tunnel(TunnelType.GUE, 6080))
TWO = RealServer(Address.parse("10.0.1.2"), 80)
LOCAL = Address.parse("10.0.0.9")
NOBODY = RealServer(Address.parse("224.0.0.1"), 80)


@pytest.fixture
def director() -> MemoryDirector:
    made = MemoryDirector()
    made.add_service(VirtualService(KEY, "rr"), [ONE])
    made.published = 0
    return made


def servers(director: MemoryDirector) -> list[RealServer]:
    return list(director.table().servers(KEY))


def test_a_service_is_added_with_all_it_has(director: MemoryDirector) -> None:
    director.add_service(VirtualService(OTHER), [ONE, TWO], [LOCAL])
    assert list(director.table().servers(OTHER)) == [TWO, ONE]
    assert director.table().locals(OTHER) == (LOCAL,)
    assert director.published == 1


def test_services_are_edited_and_deleted(director: MemoryDirector) -> None:
    director.edit_service(VirtualService(KEY, "wrr"))
    assert (director.table().service(KEY).scheduler, servers(director)) == ("wrr", [ONE])
    director.delete_service(KEY)
    assert (len(director.table()), director.published) == (0, 2)


def test_servers_come_change_and_go(director: MemoryDirector) -> None:
    director.add_server(KEY, TWO)
    director.edit_server(KEY, RealServer(TWO.address, 80, weight=7))
    assert [server.weight for server in servers(director)] == [7, 3]
    director.delete_server(KEY, TWO.address, 80)
    assert (servers(director), director.published) == ([ONE], 3)


def test_a_new_weight_leaves_the_rest_of_a_server(director: MemoryDirector) -> None:
    director.set_weight(KEY, ONE.address, 80, 0)
    (now,) = servers(director)
    assert now == RealServer(ONE.address, 80, Method.TUNNEL, 0, 20, 10, ONE.tunnel)


def test_local_addresses_come_and_go(director: MemoryDirector) -> None:
    director.add_local(KEY, LOCAL)
    assert director.table().locals(KEY) == (LOCAL,)
    director.delete_local(KEY, LOCAL)
    assert director.table().locals(KEY) == ()


def test_counters_begin_at_zero(director: MemoryDirector) -> None:
    director.statuses, director.sums = {KEY: ServiceStatus(Counters(5))}, Totals(Counters(6))
    director.zero(KEY)
    assert (dict(director.status()), director.totals()) == ({}, Totals(Counters(6)))
    director.zero()
    assert director.totals() == Totals()


def test_timeouts_settings_and_everything(director: MemoryDirector) -> None:
    director.set_timeouts(Timeouts(tcp=5, tcp_fin=0, udp=6))
    director.set_sysctls({"sloppy_tcp": 1})
    assert (director.timeouts(), director.sysctls()["sloppy_tcp"]) == (Timeouts(5, 120, 6), 1)
    director.clear()
    assert len(director.table()) == 0


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (lambda d: d.add_service(VirtualService(OTHER), [TWO, NOBODY]), InvalidServer),
        (lambda d: d.add_service(VirtualService(OTHER), [TWO, TWO]), ServerExists),
        (lambda d: d.set_weight(KEY, TWO.address, 80, 1), NoSuchServer),
        (lambda d: d.set_weight(OTHER, ONE.address, 80, 1), NoSuchService),
        (lambda d: d.zero(OTHER), NoSuchService),
    ],
)
def test_what_is_refused_changes_nothing(
    director: MemoryDirector, operation: Callable[[MemoryDirector], None], error: type[Exception]
) -> None:
    with pytest.raises(error):
        operation(director)
    assert (len(director.table()), servers(director), director.published) == (1, [ONE], 0)
