# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/nat.h and icmp.h for FullNAT: the server sees a local address and port, the client the service."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Ether

from bpvs.model import Address, InvalidLocal, Method, Protocol
from tests.packets import books
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference, localised, opened, told
from tests.packets.listing import connection_of, counts, traffic
from tests.packets.rig import Action, Hook, Rig
from tests.packets.shapes import rows_for

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.130", 80, "10.2.0.12", 8080, method=Method.FULLNAT, local="10.2.0.201")
TCP6 = Path(CLIENT6, "fd00::130", 80, "fd02::12", 8080, method=Method.FULLNAT, local="fd02::201")
PATHS = {
    "tcp4": TCP4,
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}
ROWS = rows_for(PATHS)
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
BOTH = pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    paths = PATHS.values()
    rig.serve(*(path.row for path in paths), locals_=[local for path in paths for local in path.locals])


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_comes_from_the_local_address(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    there = localised(flow, run.frame)
    assert there.path.local == path.local
    assert there.local_port in books.PORTS
    assert not difference(run.frame, there.to_server(shape))


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_comes_from_the_service(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = opened(rig, hook, path)
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@HOOKS
@EVERY_PATH
def test_connection_keeps_its_local_port(rig: Rig, hook: Hook, path: Path) -> None:
    """At the other hook too, and its traffic counts."""
    path = alone(rig, path)
    flow = opened(rig, hook, path)
    size = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    for again in (hook, *Hook):
        flow = told(rig, again, flow)
        assert not difference(rig.run(again, flow.request(Shape(flags="A"))).frame, flow.to_server(Shape(flags="A")))
    assert traffic(path) == (1, 4, 3, 4 * size, 3 * size)
    assert counts(path) == ((1, 0) if path.protocol is Protocol.TCP else (0, 1))


@HOOKS
@EVERY_PATH
def test_reply_to_another_port_or_address_is_none(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    other = "fd02::202" if path.is_ipv6 else "10.2.0.202"
    strangers = (
        replace(flow, local_port=flow.local_port + 1),
        replace(flow, path=replace(path, local=other)),
        Flow(replace(path, local=""), flow.port),
    )
    for stranger in strangers:
        reply = stranger.reply(Shape(flags="A"))
        run = rig.run(hook, reply, "back")
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, reply)


def _payload_for(flow: Flow, checksum: int, sent: str) -> bytes:
    """Two bytes with which the frame that leaves has this transport checksum, found from the one that zeros give."""
    send = flow.to_server if sent == "request" else flow.to_client
    content = send(Shape(payload=bytes(2)))
    offset = 14 + (40 if flow.path.is_ipv6 else 20) + (6 if flow.path.protocol is Protocol.UDP else 16)
    found = int.from_bytes(content[offset : offset + 2], "big")
    return ((found - checksum) % 0xFFFF).to_bytes(2, "big")


@HOOKS
@pytest.mark.parametrize("sent", ["request", "reply"])
@pytest.mark.parametrize("wanted", [0, 1, 0xFFFE])
@EVERY_PATH
def test_checksums_at_the_edge(rig: Rig, hook: Hook, path: Path, sent: str, wanted: int) -> None:
    flow = told(rig, hook, opened(rig, hook, path))
    shape = Shape(flags="A", payload=_payload_for(flow, wanted, sent))
    if sent == "request":
        out, expected = rig.run(hook, flow.request(shape)).frame, flow.to_server(shape)
    else:
        out, expected = rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape)
    assert not difference(out, expected)


ERRORS4 = (
    ("port unreachable", Error(UNREACHABLE, LONG)),
    ("fragmentation needed from a router", Error(ICMP(type=3, code=4, nexthopmtu=1400), LONG, from_router=True)),
    ("time exceeded from a router", Error(ICMP(type=11), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE, LONG, 28)),
    ("inner IP options", Error(UNREACHABLE, replace(LONG, ip={"options": b"\1" * 8}))),
    ("padding of Ethernet", Error(UNREACHABLE, LONG, outer=Shape(padding=b"\1\2\3"))),
)
ERRORS6 = (
    ("port unreachable", Error(UNREACHABLE6, LONG)),
    ("too big from a router", Error(ICMPv6PacketTooBig(mtu=1280), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE6, LONG, 48)),
    ("inner extension header", Error(UNREACHABLE6, replace(LONG, extensions=IPv6ExtHdrDestOpt()))),
    ("odd payload", Error(UNREACHABLE6, Shape(payload=b"odd"))),
)
ERROR_ROWS = [
    pytest.param(path, error, id=f"{name}, {which}")
    for which, path in PATHS.items()
    for name, error in (ERRORS6 if path.is_ipv6 else ERRORS4)
]


@HOOKS
@pytest.mark.parametrize(("path", "error"), ERROR_ROWS)
def test_errors_are_translated_inside_and_outside(rig: Rig, hook: Hook, path: Path, error: Error) -> None:
    """Toward the server they come from the local address, toward the client from the service."""
    flow = opened(rig, hook, path)
    for (arrives, leaves), link in ((error.to_server(flow), "front"), (error.to_client(flow), "back")):
        run = rig.run(hook, arrives, link)
        assert (run.action, run.verdicts) == (Action.REDIRECT, {})
        assert not difference(run.frame, leaves)


@HOOKS
@pytest.mark.parametrize("path", [PATHS["udp4"], PATHS["udp6"]], ids=["IPv4", "IPv6"])
def test_udp_without_checksum_in_an_error(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, replace(LONG, transport={"chksum": 0}))
    for (arrives, leaves), link in ((error.to_server(flow), "front"), (error.to_client(flow), "back")):
        assert not difference(rig.run(hook, arrives, link).frame, leaves)


@EVERY_PATH
def test_client_on_the_director(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    request = rig.run(Hook.TC, flow.request(Shape()), "lo")
    assert request.action is Action.REDIRECT
    flow = localised(flow, request.frame)
    assert not difference(request.frame, flow.to_server(Shape()))
    shape = Shape(flags="SA", ttl=1)
    reply = rig.run(Hook.TC, flow.reply(shape), "back")
    assert reply.action is Action.REDIRECT
    assert not difference(reply.frame, flow.to_client(shape))


@HOOKS
@EVERY_PATH
def test_no_local_address(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, replace(path, local=""))
    request = Flow(path, rig.port()).request(Shape())
    run = rig.run(hook, request)
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_NO_LOCAL_ADDRESS": 1}, request)
    assert counts(path) == (0, 0)


@HOOKS
def test_local_address_of_the_other_family_does_not_serve(rig: Rig, hook: Hook) -> None:
    path = alone(rig, replace(TCP6, local="10.2.0.201"))
    run = rig.run(hook, Flow(path, rig.port()).request(Shape()))
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_NO_LOCAL_ADDRESS": 1})


@HOOKS
@BOTH
def test_local_addresses_of_both_families(rig: Rig, hook: Hook, path: Path) -> None:
    """Each family has a list of its own, in the order of the additions."""
    if not path.is_ipv6:
        path = replace(path, virtual="fd00::131", client=CLIENT6, server="fd02::13", local="fd02::203")
    path = alone(rig, path)
    more = ("10.2.0.204", "fd02::205", "10.2.0.203")
    with rig.change() as table:
        for address in more:
            table.add_local(path.key, Address.parse(address))
    take_turns(rig, hook, path, [path.local, "fd02::205"])


@HOOKS
@BOTH
def test_several_local_addresses_take_turns(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    ends = "fd02::20{}" if path.is_ipv6 else "10.2.0.20{}"
    addresses = [path.local, ends.format(2), ends.format(3)]
    with rig.change() as table:
        for address in addresses[1:]:
            table.add_local(path.key, Address.parse(address))
    take_turns(rig, hook, path, addresses)


def take_turns(rig: Rig, hook: Hook, path: Path, addresses: list[str]) -> None:
    """New connections have these local addresses in that order, whichever comes first."""
    used = [opened(rig, hook, path).path.local for _ in range(2 * len(addresses))]
    first = addresses.index(used[0])
    assert used == (addresses[first:] + addresses[:first]) * 2


@HOOKS
@BOTH
@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_server_has_the_local_addresses_in_turn(rig: Rig, hook: Hook, path: Path, count: int) -> None:
    """Whatever the scheduler's turn: each pair bears the same share, and its ports rest equally long."""
    path = alone(rig, path)
    servers = [f"fd02::{number}" if path.is_ipv6 else f"10.2.0.{number}" for number in range(11, 11 + count)]
    rows = [replace(path, server=server).row for server in servers]
    more = (path.key, Address.parse("fd02::202" if path.is_ipv6 else "10.2.0.202"))
    rig.serve(*rows, locals_=[*path.locals, more])
    pairs = Counter[tuple[str, str]]()
    for _ in range(4 * count):
        left = Ether(rig.run_uncounted(hook, Flow(path, rig.port()).request(Shape()))[1]).payload
        pairs[left.src, left.dst] += 1
    assert pairs == dict.fromkeys(product((path.local, str(more[1])), servers), 2)


@HOOKS
@EVERY_PATH
def test_removed_local_address_finishes_its_connections(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    flow = opened(rig, hook, path)
    other = "fd02::202" if path.is_ipv6 else "10.2.0.202"
    with rig.change() as table:
        table.add_local(path.key, Address.parse(other))
        table.delete_local(path.key, Address.parse(path.local))
    assert books.exists(path)
    flow = told(rig, hook, flow)
    shape = Shape(flags="A")
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))
    assert not difference(rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape))
    assert {opened(rig, hook, path).path.local for _ in range(3)} == {other}


def test_a_broadcast_address_is_no_local_address(rig: Rig) -> None:
    with pytest.raises(InvalidLocal, match="must be unicast"), rig.change() as table:
        table.add_local(TCP4.key, Address.parse("10.2.0.255"))


@HOOKS
@BOTH
def test_connection_is_listed_with_the_client_and_the_server(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    one = connection_of(flow)
    assert one is not None
    assert (str(one.client), one.client_port) == (path.client, flow.port)
    assert (str(one.server), one.server_port) == (path.server, path.server_port)
