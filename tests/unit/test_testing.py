# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import (
    Address,
    Counters,
    InvalidLocal,
    InvalidServer,
    Protocol,
    RealServer,
    ServiceKey,
    ServiceStatus,
    Totals,
    UnknownScheduler,
    VirtualService,
)
from bpvs.testing import FixedResolver, MemoryDirector

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.1"), 80)


def test_a_change_that_raises_is_dropped() -> None:
    director = MemoryDirector()

    def change() -> None:
        with director.change() as table:
            table.add_service(VirtualService(KEY))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()
    assert (len(director.table()), director.published) == (0, 0)


def test_a_snapshot_is_not_the_table() -> None:
    director = MemoryDirector()
    director.table().add_service(VirtualService(KEY))
    assert len(director.table()) == 0


def test_counters_of_what_is_new_or_zeroed_are_forgotten() -> None:
    director = MemoryDirector()
    with director.change() as table:
        table.add_service(VirtualService(KEY))
    director.statuses = {KEY: ServiceStatus(Counters(5))}
    with director.change() as table:
        table.edit_service(VirtualService(KEY, "rr"))
    assert director.status()[KEY].counters.connections == 5
    with director.change() as table:
        table.zero(KEY)
    assert KEY not in director.status()


def test_totals_are_zeroed_with_everything_only() -> None:
    director = MemoryDirector()
    with director.change() as table:
        table.add_service(VirtualService(KEY))
    director.sums = Totals(Counters(5))
    with director.change() as table:
        table.zero(KEY)
    assert director.totals() == Totals(Counters(5))
    with director.change() as table:
        table.zero(None)
    assert director.totals() == Totals()


@pytest.mark.parametrize("text", ["0.0.0.0", "224.0.0.5", "255.255.255.255", "10.0.0.255", "::", "ff02::1", "fe80::1"])
def test_servers_must_be_unicast(text: str) -> None:
    director = MemoryDirector()
    director.broadcasts.add(Address.parse("10.0.0.255"))
    with director.change() as table:
        table.add_service(VirtualService(KEY))
    with pytest.raises(InvalidServer), director.change() as table:
        table.add_server(KEY, RealServer(Address.parse(text), 80))


def test_local_addresses_are_no_broadcasts() -> None:
    director = MemoryDirector()
    director.broadcasts.add(Address.parse("10.0.0.255"))
    with director.change() as table:
        table.add_service(VirtualService(KEY, synproxy=True))
        table.add_local(KEY, Address.parse("10.0.0.254"))
    with pytest.raises(InvalidLocal), director.change() as table:
        table.add_local(KEY, Address.parse("10.0.0.255"))
    assert director.table().locals(KEY) == (Address.parse("10.0.0.254"),)
    assert director.table().service(KEY).synproxy


def test_schedulers_and_engines_must_exist() -> None:
    for service in (VirtualService(KEY, "twos"), VirtualService(KEY, engine="bogus")):
        with pytest.raises(UnknownScheduler), MemoryDirector().change() as table:
            table.add_service(service)


def test_the_resolver_knows_what_it_was_given() -> None:
    names = FixedResolver({"10.0.0.1": ["one", "uno"], "::1": ["six"]}, {("http", "tcp"): 80})
    assert (names.address_of("uno"), names.address_of("six")) == (bytes((10, 0, 0, 1)), None)
    assert (names.host_of(Address.parse("10.0.0.1")), names.host_of(Address.parse("10.0.0.2"))) == ("one", None)
    assert (names.port_of("http", Protocol.TCP), names.port_of("http", Protocol.UDP)) == (80, None)
    assert (names.service_of(80, Protocol.TCP), names.service_of(80, Protocol.UDP)) == ("http", None)
