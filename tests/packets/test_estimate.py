# SPDX-License-Identifier: GPL-2.0-or-later
"""estimate.h: rates of servers, services and of all together, as the real estimator was recorded to move them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path as File

import pytest

from bpvs.director import Director
from bpvs.lab.wait import until
from bpvs.model import Address, Counters, Protocol, Rates, RealServer, ServiceKey, VirtualService
from tests.packets.frames import CLIENT, Flow, Path, Shape
from tests.packets.rig import Hook, Rig, loaded
from tests.packets.ticks import LAST_TURN, hold, tick, turn

pytestmark = pytest.mark.root

RECORDING = File(__file__).parents[1] / "golden/ipvs/estimator.out"
TICKS_BETWEEN = 6  # the recording waited 12 s after each single datagram
BURST = 100
HEADERS = 20 + 8
DNS = Path(CLIENT, "10.0.0.53", 53, "10.2.0.17", 53, Protocol.UDP)
WEB = replace(DNS, virtual="10.0.0.80", server="10.2.0.16")


@pytest.fixture
def fresh() -> Iterator[Rig]:
    """A director that has counted nothing yet."""
    rig = Rig(1024)
    try:
        with rig.inside():
            yield rig
    finally:
        rig.close()


def serve_in_the_last_turn(rig: Rig, path: Path, ops: bool = False) -> None:
    """Add the path's service; its server gets a row whose turn is the services' too."""
    key, server = path.row
    with rig.change() as table:
        filler = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.99"), 80)
        table.add_service(VirtualService(filler, "rr"))
        for number in range(LAST_TURN - 1):
            table.add_server(filler, RealServer(Address.parse("10.2.0.11"), 8000 + number))
    with rig.change() as table:
        table.add_service(VirtualService(key, "rr", ops=ops))
        table.add_server(key, server)
    assert loaded().settings.load(0, "dest_high") == LAST_TURN + 1


def send(rig: Rig, path: Path, count: int, payload: int) -> None:
    """That many connections of one datagram each."""
    for _ in range(count):
        hold(loaded())
        assert rig.run(Hook.TC, Flow(path, rig.port()).request(Shape(payload=bytes(payload)))).is_forwarded


def shown(path: Path) -> list[Rates]:
    """Rates of the server, its service and everything; they are to be the same."""
    service = Director().status()[path.key]
    return [*(one.rates for one in service.servers.values()), service.rates, Director().totals().rates]


def recorded() -> list[tuple[Counters, Rates]]:
    """What was shown after each tick; the first one is there twice, for the recording looked right behind it."""
    lines = re.findall(r"^tick \d+: totals \[(.*)\] rates \S+ \[(.*)\]$", RECORDING.read_text(), re.MULTILINE)
    rows = [tuple([int(word) for word in text.split(",")] for text in line) for line in lines]
    assert len(rows) == 16
    assert rows[0] == rows[1]
    return [(Counters(*counters), Rates(*rates)) for counters, rates in rows[1:]]


def test_a_burst_rises_and_decays_as_recorded(fresh: Rig) -> None:
    serve_in_the_last_turn(fresh, DNS)
    instance = loaded()
    for _ in range(2):
        send(fresh, DNS, 1, 10)
        for _ in range(TICKS_BETWEEN):
            turn(instance)
    turn(instance)
    assert astuple(shown(DNS)[-1]) == (0, 0, 0, 1, 0)
    send(fresh, DNS, BURST, 100 - HEADERS)
    for counters, rates in recorded():
        turn(instance)
        assert shown(DNS) == [rates] * 3
        assert Director().totals().counters == counters


def test_the_total_knows_what_servers_and_services_counted_that_are_gone(fresh: Rig) -> None:
    """Also when they go within the tick, and others have their rows."""
    serve_in_the_last_turn(fresh, DNS)
    instance = loaded()
    send(fresh, DNS, BURST, 100 - HEADERS)
    with fresh.change() as table:
        table.delete_service(DNS.key)
    tick(instance)
    assert Director().totals().rates == Rates(12, 12, 0, 1250, 0)
    assert Director().totals().counters == Counters(BURST, BURST, 0, BURST * 100, 0)


def test_a_new_server_does_not_inherit_what_its_row_counted(fresh: Rig) -> None:
    """Datagrams that are scheduled one by one leave no connection: within the tick another server has the row."""
    serve_in_the_last_turn(fresh, DNS, ops=True)
    instance = loaded()
    send(fresh, DNS, BURST, 100 - HEADERS)
    with fresh.change() as table:
        table.delete_service(DNS.key)
    with fresh.change() as table:
        table.add_service(VirtualService(WEB.key, "rr"))
        table.add_server(*WEB.row)
    assert Address.from_mapped(WEB.key.family, instance.dests.read(LAST_TURN, "address")[0]) == WEB.row[1].address
    turn(instance)
    server, service, everything = shown(WEB)
    assert (server, service) == (Rates(), Rates())
    assert everything == Rates(12, 12, 0, 1250, 0)
    status = Director().status()[WEB.key]
    assert (status.counters, status.servers[WEB.row[1].address, 53].counters) == (Counters(), Counters())
    send(fresh, WEB, BURST, 100 - HEADERS)
    assert Director().status()[WEB.key].counters == Counters(BURST, BURST, 0, BURST * 100, 0)
    assert Director().totals().counters == Counters(2 * BURST, 2 * BURST, 0, 2 * BURST * 100, 0)


@pytest.mark.parametrize("removed", [False, True], ids=["listed", "removed within the tick"])
def test_a_service_rises_by_what_its_servers_counted(fresh: Rig, removed: bool) -> None:
    serve_in_the_last_turn(fresh, DNS)
    send(fresh, DNS, BURST, 100 - HEADERS)
    if removed:
        with fresh.change() as table:
            table.delete_server(DNS.key, DNS.row[1].address, DNS.server_port)
    turn(loaded())
    assert shown(DNS)[-2:] == [Rates(12, 12, 0, 1250, 0)] * 2


def test_a_service_rises_again_after_it_was_replaced_by_the_same(fresh: Rig) -> None:
    """In one change, as ipvsadm-restore does it, while there are connections."""
    serve_in_the_last_turn(fresh, DNS)
    send(fresh, DNS, 1, 10)
    with fresh.change() as table:
        table.delete_service(DNS.key)
        table.add_service(VirtualService(DNS.key, "rr"))
        table.add_server(*DNS.row)
    send(fresh, DNS, BURST, 100 - HEADERS)
    turn(loaded())
    assert shown(DNS)[:2] == [Rates(12, 12, 0, 1250, 0)] * 2
    assert Director().status()[DNS.key].counters == Counters(BURST, BURST, 0, BURST * 100, 0)


def test_after_zero_rates_begin_with_what_comes_then(fresh: Rig) -> None:
    serve_in_the_last_turn(fresh, DNS)
    send(fresh, DNS, BURST, 100 - HEADERS)
    with fresh.change() as table:
        table.zero(DNS.key)
    turn(loaded())
    server, service, everything = shown(DNS)
    assert (server, service, everything) == (Rates(), Rates(), Rates(12, 12, 0, 1250, 0))


def test_rates_stand_still_while_they_are_not_wanted(fresh: Rig) -> None:
    """run_estimation 0, for two turns and a bit; counters are live, and nothing that came meanwhile is forgotten."""
    serve_in_the_last_turn(fresh, DNS)
    instance = loaded()
    with fresh.sysctls(run_estimation=0):
        send(fresh, DNS, BURST, 100 - HEADERS)
        instance.runtime.store(0, "estimate", LAST_TURN)
        two_turns_on = time.monotonic() + 0.6
        until(lambda: time.monotonic() > two_turns_on, "two turns")
        assert instance.runtime.load(0, "estimate") == LAST_TURN
        assert shown(DNS)[:2] == [Rates()] * 2
        assert Director().status()[DNS.key].counters.connections == BURST
    until(lambda: instance.runtime.load(0, "estimate") != LAST_TURN, "the next turn")
    assert shown(DNS)[:2] == [Rates(12, 12, 0, 1250, 0)] * 2
