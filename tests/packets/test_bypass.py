# SPDX-License-Identifier: GPL-2.0-or-later
"""bypass.h: with cache_bypass, packets of a service by mark that has no server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.model import Method, Protocol, VirtualService
from tests.packets.errors import BARE, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference
from tests.packets.listing import connection_of
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

MARK = 143
# what is reached without a director looks like direct routing
TCP4 = Path(CLIENT, "10.2.0.15", 80, "10.2.0.15", 80, method=Method.ROUTE, mark=MARK)
TCP6 = Path(CLIENT6, "fd02::15", 80, "fd02::15", 80, method=Method.ROUTE, mark=MARK)
PATHS = {"TCP": TCP4, "TCP, IPv6": TCP6, "UDP": replace(TCP4, protocol=Protocol.UDP)}
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@pytest.fixture(autouse=True)
def _empty(rig: Rig) -> Iterator[None]:
    """Services by mark without servers."""
    with rig.change() as table:
        table.clear()
        for path in (TCP4, TCP6):
            table.add_service(VirtualService(path.key, "rr"))
    with rig.sysctls(cache_bypass=1):
        yield


def sent(rig: Rig, flow: Flow, mark: int = MARK) -> tuple[Action, dict[str, int]]:
    run = rig.run(Hook.TC, flow.request(Shape()), mark=mark)
    return run.action, run.verdicts


@EVERY_PATH
def test_it_goes_to_where_it_was_going_and_the_connection_with_it(rig: Rig, path: Path) -> None:
    flow, before = Flow(path, rig.port()), Director().totals().counters
    run = rig.run(Hook.TC, flow.request(Shape()), mark=MARK)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(Shape()))
    for hook in Hook:
        shape = Shape(flags="A")
        assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))
        assert not difference(rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape))
    assert Director().totals().counters == before
    status = Director().status()[path.key]
    assert status.counters.connections == status.counters.in_packets == 0


@EVERY_PATH
def test_it_is_listed_without_a_server(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    sent(rig, flow)
    one = connection_of(flow)
    assert one is not None
    assert (str(one.server), one.server_port) == ("::" if path.is_ipv6 else "0.0.0.0", 0)
    assert one.state == ("UDP" if path.protocol is Protocol.UDP else "SYN_RECV")


def test_both_directions_are_seen(rig: Rig) -> None:
    """As recorded: from the first packet on the table for both directions holds."""
    flow = Flow(TCP4, rig.port())
    sent(rig, flow)
    for sender, flags, state in (("s", "SA", "SYN_RECV"), ("c", "A", "ESTABLISHED"), ("c", "FA", "CLOSE_WAIT")):
        if sender == "c":
            rig.run_uncounted(Hook.TC, flow.request(Shape(flags=flags)))
        else:
            rig.run_uncounted(Hook.TC, flow.reply(Shape(flags=flags)), "back")
        one = connection_of(flow)
        assert one is not None
        assert one.state == state


def test_each_destination_has_its_own_way(rig: Rig) -> None:
    """Two connections in turn: no answer of the FIB is taken for the other's."""
    flows = [Flow(replace(TCP4, virtual=to, server=to), rig.port()) for to in ("10.2.0.15", "10.2.0.16")]
    for flags in "SAA":
        for flow in flows:
            run = rig.run(Hook.TC, flow.request(Shape(flags=flags)), mark=MARK)
            assert not difference(run.frame, flow.to_server(Shape(flags=flags)))


@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_an_icmp_error_about_it_goes_on(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    sent(rig, flow)
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, BARE)
    arrives, leaves = error.to_client(flow)
    assert not difference(rig.run(Hook.TC, arrives, "back").frame, leaves)


def test_a_server_that_comes_takes_new_connections_only(rig: Rig) -> None:
    flow = Flow(TCP4, rig.port())
    sent(rig, flow)
    served = replace(TCP4, server="10.2.0.16")
    with rig.change() as table:
        table.add_server(*served.row)
    with rig.sysctls(expire_nodest_conn=1):
        run = rig.run(Hook.TC, flow.request(Shape(flags="A")), mark=MARK)
        assert not difference(run.frame, flow.to_server(Shape(flags="A")))
    new = Flow(served, rig.port())
    assert not difference(rig.run(Hook.TC, new.request(Shape()), mark=MARK).frame, new.to_server(Shape()))


NOT_TAKEN = {
    "an address of the director": "10.1.0.1",
    "multicast": "224.0.0.5",
    "nobody's": "0.0.0.0",
}


@pytest.mark.parametrize("to", NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_only_other_hosts_are_reached_so(rig: Rig, to: str) -> None:
    flow = Flow(replace(TCP4, virtual=to, server=to), rig.port())
    assert sent(rig, flow)[1] == {"DROP_NO_SERVER": 1}
    assert connection_of(flow) is None


def test_without_the_setting_it_is_dropped(rig: Rig) -> None:
    with rig.sysctls(cache_bypass=0):
        assert sent(rig, Flow(TCP4, rig.port())) == (Action.DROP, {"DROP_NO_SERVER": 1})


def test_a_service_by_address_has_no_use_for_it(rig: Rig) -> None:
    path = replace(TCP4, mark=0)
    with rig.change() as table:
        table.add_service(VirtualService(path.key, "rr"))
    assert sent(rig, Flow(path, rig.port()), mark=0)[1] == {"DROP_NO_SERVER": 1}


def test_a_way_that_is_too_narrow_is_told_of(rig: Rig) -> None:
    path = replace(TCP4, virtual="10.3.0.11", server="10.3.0.11", link=3)
    flow = Flow(path, rig.port())
    sent(rig, flow)
    for df, answered in (("DF", Action.REDIRECT), (0, Action.DROP)):
        run = rig.run(Hook.TC, flow.request(Shape(flags="A", payload=bytes(1400), ip={"flags": df})))
        assert (run.action, run.verdicts) == (answered, {"DROP_TOO_BIG": 1})
