# SPDX-License-Identifier: GPL-2.0-or-later
"""service.h and stats.h: which packets belong to a service, which may open a connection, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.model import Counters, Protocol, VirtualService
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.104", 80, "10.2.0.17", 8080)
TCP6 = Path(CLIENT6, "fd00::104", 80, "fd02::17", 8080)
UDP4 = replace(TCP4, protocol=Protocol.UDP, virtual_port=53)
UDP6 = replace(TCP6, protocol=Protocol.UDP, virtual_port=53)
PATHS = {"tcp4": TCP4, "tcp6": TCP6, "udp4": UDP4, "udp6": UDP6}
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
HOOKS = pytest.mark.parametrize("hook", Hook)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def other_protocol(path: Path) -> Path:
    return replace(path, protocol=Protocol.UDP if path.protocol is Protocol.TCP else Protocol.TCP)


ELSEWHERE: dict[str, Callable[[Path], Path]] = {
    "port above": lambda path: replace(path, virtual_port=path.virtual_port + 1),
    "port with its bytes swapped": lambda path: replace(path, virtual_port=path.virtual_port << 8),
    "port 0": lambda path: replace(path, virtual_port=0),
    "the same port of the other protocol": other_protocol,
    "the client's own address": lambda path: replace(path, virtual=path.client),
    "the real server itself": lambda path: replace(path, virtual=path.server, virtual_port=path.server_port),
    "an address that differs in one bit": lambda path: replace(path, virtual=path.virtual[:-1] + "5"),
}


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_no_service_passes(rig: Rig, hook: Hook, path: Path, elsewhere: Callable[[Path], Path]) -> None:
    frame = Flow(elsewhere(path), rig.port()).request(Shape())
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, frame)


@HOOKS
@EVERY_PATH
def test_reply_without_a_connection_passes(rig: Rig, hook: Hook, path: Path) -> None:
    frame = Flow(path, rig.port()).reply(Shape(flags="SA"))
    run = rig.run(hook, frame, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, frame)


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("flags", ["A", "PA", "F", "FA", "R", "RA", "SR", "SRA", "SRF", "", "U", "P", "E", "C"])
def test_segment_that_opens_nothing(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    flow = Flow(path, rig.port())
    frame = flow.request(Shape(flags=flags))
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, frame)


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("flags", ["S", "SA", "SF", "SFPAU", "SEC"])
def test_segment_that_opens_a_connection(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    """SYN without RST; ACK does not matter to IPVS."""
    run = rig.run(hook, Flow(path, rig.port()).request(Shape(flags=flags)))
    assert (run.is_forwarded, run.verdicts) == (True, {})


@HOOKS
@EVERY_PATH
def test_client_port_20_opens_nothing(rig: Rig, hook: Hook, path: Path) -> None:
    frame = Flow(path, 20).request(Shape())
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, frame)


MARTIANS = ("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255")
MARTIANS6 = ("::", "::1", "ff02::1", "ffff::1")


@HOOKS
@pytest.mark.parametrize(("path", "source"), [*((TCP4, one) for one in MARTIANS), *((TCP6, one) for one in MARTIANS6)])
def test_source_that_is_no_host_opens_nothing(rig: Rig, hook: Hook, path: Path, source: str) -> None:
    """The stack drops these as martians before IPVS sees them."""
    frame = Flow(replace(path, client=source), rig.port()).request(Shape())
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_MARTIAN": 1}, frame)


@HOOKS
@EVERY_PATH
def test_packet_from_the_service_to_itself(rig: Rig, hook: Hook, path: Path) -> None:
    """LAND: it is balanced like any other, and the reply does not come back to the service."""
    flow = Flow(replace(path, client=path.virtual), path.virtual_port)
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    reply = rig.run(hook, flow.reply(Shape(flags="SA")), "back")
    assert reply.action is Action.DROP


@HOOKS
@EVERY_PATH
def test_family_without_services_rests(rig: Rig, hook: Hook, path: Path) -> None:
    rig.serve(*(other.row for other in PATHS.values() if other.is_ipv6 != path.is_ipv6))
    frame = Flow(path, rig.port()).request(Shape())
    run = rig.run(hook, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_IDLE": 1}, frame)


@HOOKS
@EVERY_PATH
def test_empty_table_rests(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    assert rig.run(hook, flow.request(Shape())).is_forwarded
    rig.serve()
    for frame, link in ((flow.request(Shape()), "front"), (flow.reply(Shape()), "back")):
        run = rig.run(hook, frame, link)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_IDLE": 1}, frame)


@EVERY_PATH
@pytest.mark.parametrize("servers", ["none", "weight 0"])
def test_no_server(rig: Rig, path: Path, servers: str) -> None:
    with rig.change() as table:
        key, server = path.row
        if servers == "none":
            table.delete_server(key, server.address, server.port)
        else:
            table.edit_server(key, replace(server, weight=0))
    frame = Flow(path, rig.port()).request(Shape())
    early = rig.run(Hook.XDP, frame)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, frame)
    assert rig.run(Hook.TC, frame).verdicts == {"DROP_NO_SERVER": 1}


def counters(path: Path) -> Counters:
    return Director().status()[path.key].counters


@HOOKS
@EVERY_PATH
def test_counters(rig: Rig, hook: Hook, path: Path) -> None:
    """Bytes are those of the IP packet, with the headers that arrived; the service counts as its server."""
    flow, before = Flow(path, rig.port()), counters(path)
    request, reply = Shape(payload=b"12345", padding=bytes(9)), Shape(flags="SA", payload=b"1234567")
    rig.run(hook, flow.request(request))
    rig.run(hook, flow.request(request))
    rig.run(hook, flow.reply(reply), "back")
    headers = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    assert counters(path) - before == Counters(1, 2, 1, 2 * (headers + 5), headers + 7)
    status = Director().status()[path.key]
    assert status.counters == status.servers[path.row[1].address, path.server_port].counters


@HOOKS
@EVERY_PATH
def test_what_is_dropped_is_not_counted_by_the_server(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    rig.run(hook, flow.request(Shape()))
    before = counters(path)
    rig.run(hook, flow.request(Shape(ttl=1)))
    rig.run(hook, flow.reply(Shape(ttl=1)), "back")
    assert counters(path) == before


def test_server_of_a_deleted_service_counts_from_zero_in_another(rig: Rig) -> None:
    """Its connections go on, as in IPVS; what the deleted service's listing counted does not."""
    path = replace(TCP4, virtual_port=8104)
    rig.serve(path.row)
    flow = Flow(path, rig.port())
    rig.run(Hook.TC, flow.request(Shape()))
    key, server = path.row
    with rig.change() as table:
        table.clear()
    with rig.change() as table:
        table.add_service(VirtualService(key, "rr"))
    with rig.change() as table:
        table.add_server(key, server)
    state = Director().status()[key].server(server.address, server.port)
    assert state.counters == Counters()
    assert state.active == 1
