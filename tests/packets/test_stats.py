# SPDX-License-Identifier: GPL-2.0-or-later
"""stats.h: what counts, at a server, its service and all together, by way of forwarding; and what zeroing takes off."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from itertools import count

import pytest

from bpvs.director import Director
from bpvs.model import Counters, Method, Tunnel, VirtualService
from tests.packets.errors import LONG, UNREACHABLE, Error
from tests.packets.frames import CLIENT, Flow, Path, Shape, localised
from tests.packets.listing import row_of
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
_PORTS = count(21000)

NAT = Path(CLIENT, "10.0.0.160", 80, "10.2.0.17", 8080)
ROUTE = replace(NAT, server_port=80, method=Method.ROUTE)
TUNNEL = replace(ROUTE, method=Method.TUNNEL, tunnel=Tunnel())
FULLNAT = replace(NAT, method=Method.FULLNAT, local="10.0.0.170")
LOCAL = replace(NAT, server="10.2.0.1")
PATHS = {"nat": NAT, "route": ROUTE, "tunnel": TUNNEL, "fullnat": FULLNAT}

HEADERS = 40
ERROR = HEADERS + len(LONG.payload) + 28  # bytes of an ICMP error about LONG


@dataclass(frozen=True, slots=True)
class Seen:
    """What three displays show."""

    server: Counters
    service: Counters
    total: Counters

    def __sub__(self, before: Seen) -> set[tuple[int, ...]]:
        """What they rose by: one tuple if it is the same for all."""
        pairs = zip(fields(self), fields(before), strict=True)
        return {astuple(now - then) for now, then in pairs}


def fields(seen: Seen) -> tuple[Counters, ...]:
    return seen.server, seen.service, seen.total


def look(path: Path) -> Seen:
    director = Director()
    service = director.status()[path.key]
    key = path.row[1].address, path.server_port
    server = service.servers[key].counters if key in service.servers else Counters()
    return Seen(server, service.counters, director.totals().counters)


def served(rig: Rig, path: Path) -> Path:
    """The path with a service of its own, beside whatever was counted before."""
    own = replace(path, virtual_port=next(_PORTS))
    if not path.is_translated:
        own = replace(own, server_port=own.virtual_port)
    rig.serve(own.row, locals_=own.locals)
    return own


def opened(rig: Rig, hook: Hook, path: Path) -> Flow:
    flow = Flow(path, rig.port())
    action, left = rig.run_uncounted(hook, flow.request(Shape()))
    assert action is not Action.DROP
    return localised(flow, left) if path.method is Method.FULLNAT else flow


@HOOKS
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_packets_of_a_connection_count_by_their_direction(rig: Rig, hook: Hook, path: Path) -> None:
    """By the length of the IP packet, without tunnel, TOA or what pads the frame; replies wherever they pass."""
    path = served(rig, path)
    before = look(path)
    flow = opened(rig, hook, path)
    assert look(path) - before == {(1, 1, 0, HEADERS, 0)}
    rig.run_uncounted(hook, flow.reply(Shape(flags="SA")), "back")
    assert look(path) - before == {(1, 1, 1, HEADERS, HEADERS)}
    rig.run_uncounted(hook, flow.request(Shape(flags="PA", payload=bytes(7), padding=b"pad")))
    assert look(path) - before == {(1, 2, 1, 2 * HEADERS + 7, HEADERS)}


@HOOKS
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_icmp_errors_count_with_the_direction_they_go(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    flow = opened(rig, hook, path)
    before = look(path)
    rig.run_uncounted(hook, Error(UNREACHABLE, LONG).to_server(flow)[0])
    assert look(path) - before == {(0, 1, 0, ERROR, 0)}
    rig.run_uncounted(hook, Error(UNREACHABLE, LONG).to_client(flow)[0], "back")
    assert look(path) - before == {(0, 1, 1, ERROR, ERROR)}


def test_a_server_on_the_director_counts(rig: Rig) -> None:
    path = served(rig, LOCAL)
    before = look(path)
    opened(rig, Hook.TC, path)
    assert look(path) - before == {(1, 1, 0, HEADERS, 0)}


def test_a_merged_packet_counts_once_with_its_whole_length(rig: Rig) -> None:
    path = served(rig, NAT)
    flow = opened(rig, Hook.TC, path)
    before = look(path)
    assert rig.run(Hook.TC, flow.request(Shape(flags="A", payload=bytes(3000))), gso_size=1000).is_forwarded
    assert look(path) - before == {(0, 1, 0, HEADERS + 3000, 0)}


@HOOKS
def test_what_is_refused_does_not_count(rig: Rig, hook: Hook) -> None:
    """No server that takes connections; a connection whose server was removed."""
    path = served(rig, NAT)
    key, server = path.row
    flow = opened(rig, hook, path)
    with rig.change() as table:
        table.edit_server(key, replace(server, weight=0))
    before = look(path)
    rig.run_uncounted(hook, Flow(path, rig.port()).request(Shape()))
    assert look(path) - before == {(0, 0, 0, 0, 0)}
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)
    rig.run_uncounted(hook, flow.request(Shape(flags="A")))
    rig.run_uncounted(hook, flow.reply(Shape(flags="A")), "back")
    after = look(path)
    assert (after.service, after.total) == (before.service, before.total)


def test_zeroing_a_service_leaves_the_total(rig: Rig) -> None:
    path = served(rig, NAT)
    opened(rig, Hook.TC, path)
    before = look(path)
    with rig.change() as table:
        table.zero(path.key)
    assert look(path) == Seen(Counters(), Counters(), before.total)
    opened(rig, Hook.TC, path)
    assert look(path).total - before.total == Counters(1, 1, 0, HEADERS, 0)


def test_zeroing_everything_leaves_the_cpus(rig: Rig) -> None:
    """As /proc/net/ip_vs_stats_percpu: its last row begins at zero, those of the CPUs go on."""
    path = served(rig, NAT)
    opened(rig, Hook.TC, path)
    director = Director()
    cpus = director.cpu_counters()
    with rig.change() as table:
        table.zero(None)
    assert look(path) == Seen(Counters(), Counters(), Counters())
    assert director.cpu_counters() == cpus
    opened(rig, Hook.TC, path)
    assert director.totals().counters == Counters(1, 1, 0, HEADERS, 0)
    assert sum(director.cpu_counters(), Counters()) - sum(cpus, Counters()) == Counters(1, 1, 0, HEADERS, 0)


def test_a_service_that_goes_takes_nothing_from_the_total(rig: Rig) -> None:
    path = served(rig, NAT)
    opened(rig, Hook.TC, path)
    before = Director().totals().counters
    with rig.change() as table:
        table.clear()
    assert Director().totals().counters == before
    assert Director().status() == {}


@pytest.mark.parametrize("service_too", [False, True], ids=["its service stays", "its service is another one"])
def test_a_server_that_comes_back_to_its_connections(rig: Rig, service_too: bool) -> None:
    """Its counters go on in the same service, and begin at zero in another, whatever has the service's address."""
    path = served(rig, NAT)
    key, server = path.row
    opened(rig, Hook.TC, path)
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)
    if service_too:
        with rig.change() as table:
            table.delete_service(key)
            table.add_service(VirtualService(key, "rr"))
    with rig.change() as table:
        table.add_server(key, server)
    seen = look(path)
    counted = Counters() if service_too else Counters(1, 1, 0, HEADERS, 0)
    assert (seen.server, seen.service) == (counted, counted)
    assert Director().status()[key].servers[server.address, server.port].active == 1


def test_rows_that_serve_others_forget_the_way_but_not_what_they_counted(rig: Rig) -> None:
    """The next hop lies beside the counters, which the total needs."""
    flow = opened(rig, Hook.TC, served(rig, NAT))
    instance, before = loaded(), Director().totals().counters
    lanes, row = instance.traffic, instance.conns.load(row_of(flow), "dest")

    def hops() -> list[int]:
        found = lanes._words(range(row, row + 1))
        return [word for at, word in enumerate(found) if at % lanes._stride not in lanes._fields]

    assert any(hops())
    among_others = [row + 7, row, row + 1]
    assert lanes.forget(among_others) == {one: lanes.sum(one) for one in among_others}
    assert not any(hops())
    assert Director().totals().counters == before
