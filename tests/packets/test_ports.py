# SPDX-License-Identifier: GPL-2.0-or-later
"""ports.h: local ports of FullNAT are a connection's own, come back when it ends, and run out in a way that shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.lab.wait import until
from bpvs.model import Address, LocalStatus, Method, Protocol
from tests.packets import books
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, localised, opened
from tests.packets.listing import connection_of, counts, row_of
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.150", 80, "10.2.0.13", 8080, method=Method.FULLNAT)
TCP6 = Path(CLIENT6, "fd00::150", 80, "fd02::13", 8080, method=Method.FULLNAT)
PATHS = {
    "tcp4": TCP4,
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def served(rig: Rig, path: Path) -> Path:
    """The path with a service and a local address of its own."""
    return alone(rig, books.local_of_its_own(rig, path))


def with_local(rig: Rig, path: Path) -> str:
    """The path's service gets one more local address."""
    other = books.local_of_its_own(rig, path).local
    with rig.change() as table:
        table.add_local(path.key, Address.parse(other))
    return other


def local_status(path: Path, local: str = "") -> LocalStatus:
    return Director().status()[path.key].locals[Address.parse(local or path.local)]


def refused(rig: Rig, hook: Hook, path: Path) -> None:
    """A new connection gets no port, and nothing is left of it."""
    flow = Flow(path, rig.port())
    request = flow.request(Shape())
    before = counts(path)
    run = rig.run(hook, request)
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_NO_PORT": 1}, request)
    assert connection_of(flow) is None
    assert counts(path) == before


def end(*flows: Flow) -> None:
    """Their connections were last seen long ago: the housekeeper ends them."""
    instance = loaded()
    for flow in flows:
        instance.conns.store(row_of(flow), "seen", 1)
    until(lambda: not any(map(connection_of, flows)), "the connections to expire", 10)


@HOOKS
@EVERY_PATH
def test_each_connection_has_a_port_of_its_own(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    assert books.read(path).used == 0
    ports = [opened(rig, hook, path).local_port for _ in range(200)]
    assert len(set(ports)) == 200
    book = books.read(path)
    assert {port for port in book.taken if port in books.PORTS} == set(ports)
    assert book.is_consistent
    assert local_status(path) == LocalStatus(ports=200)


@HOOKS
@EVERY_PATH
def test_port_comes_back_when_the_connection_ends(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    flows = [opened(rig, hook, path) for _ in range(3)]
    end(*flows[:2])
    book = books.read(path)
    assert {port for port in book.taken if port in books.PORTS} == {flows[2].local_port}
    assert book.is_consistent
    assert local_status(path).ports == 1
    late = flows[0].reply(Shape(flags="A"))
    assert rig.run(hook, late, "back").verdicts == {"PASS_NO_SERVICE": 1}
    assert opened(rig, hook, path).local_port not in {flow.local_port for flow in flows}  # as late as can be


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_connection_that_is_reused_gets_another_port(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    flow = opened(rig, hook, path)
    assert rig.run(hook, flow.reply(Shape(flags="RA")), "back").is_forwarded
    again = localised(flow, rig.run(hook, flow.request(Shape())).frame)
    assert again.local_port != flow.local_port
    book = books.read(path)
    assert {port for port in book.taken if port in books.PORTS} == {again.local_port}
    assert book.is_consistent


@HOOKS
@EVERY_PATH
def test_exhaustion(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    books.fill(path, free={2000, 65535})
    flows = [opened(rig, hook, path) for _ in range(2)]
    assert [flow.local_port for flow in flows] == [2000, 65535]
    refused(rig, hook, path)
    refused(rig, hook, path)
    assert local_status(path) == LocalStatus(ports=len(books.PORTS), exhausted=2)
    end(flows[0])
    assert opened(rig, hook, path).local_port == 2000
    refused(rig, hook, path)
    assert books.read(path).is_consistent


@HOOKS
@EVERY_PATH
def test_first_and_last_word(rig: Rig, hook: Hook, path: Path) -> None:
    """The turn goes round from the last port to the first; those below are nobody's."""
    path = served(rig, path)
    last, first = books.PORTS[-1], books.PORTS[0]
    books.fill(path, free={last, first}, turn=len(books.PORTS) - 1)
    assert [opened(rig, hook, path).local_port for _ in range(2)] == [last, first]
    refused(rig, hook, path)


@HOOKS
@EVERY_PATH
def test_another_local_address_is_taken_instead(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    other = with_local(rig, path)
    books.fill(path)
    books.fill(path, free={1024, 1025, 1026}, local=other)
    assert [opened(rig, hook, path).path.local for _ in range(3)] == [other] * 3
    refused(rig, hook, path)
    assert local_status(path).exhausted >= 1
    assert local_status(path, other).exhausted == 1


@HOOKS
@EVERY_PATH
def test_servers_and_protocols_have_books_of_their_own(rig: Rig, hook: Hook, path: Path) -> None:
    """One local port toward two servers is two connections: nothing is taken away from either."""
    path = served(rig, path)
    other = replace(path, server="fd02::14" if path.is_ipv6 else "10.2.0.14")
    twin = replace(path, protocol=Protocol.TCP if path.protocol is Protocol.UDP else Protocol.UDP)
    rig.serve(path.row, other.row, twin.row, locals_=[*path.locals, *twin.locals])
    there = {opened(rig, hook, path).local_port for _ in range(4)}
    assert there == {1024, 1025}
    assert books.read(path).used == books.read(other).used == 2
    assert opened(rig, hook, twin).local_port == 1024


@HOOKS
@EVERY_PATH
def test_services_share_the_book_of_a_server(rig: Rig, hook: Hook, path: Path) -> None:
    path = served(rig, path)
    other = replace(path, virtual_port=rig.port(), server_port=path.server_port + 1)
    rig.serve(path.row, other.row, locals_=[*path.locals, *other.locals])
    ports = [opened(rig, hook, one).local_port for one in (path, other, path, other)]
    assert len(set(ports)) == 4
    assert books.read(path).used == 4


@HOOKS
def test_book_goes_with_its_last_connection(rig: Rig, hook: Hook) -> None:
    path = served(rig, TCP4)
    flow = opened(rig, hook, path)
    with rig.change() as table:
        table.delete_local(path.key, Address.parse(path.local))
    assert books.exists(path)
    end(flow)
    with rig.change() as table:
        table.add_local(path.key, Address.parse(books.local_of_its_own(rig, path).local))
    assert not books.exists(path)


def test_full_connection_table_takes_no_port(small: Rig) -> None:
    with small.inside():
        path = served(small, replace(TCP4, protocol=Protocol.UDP))
        bare = Flow(path, 1).request(Shape(transport={"chksum": 0}))
        opening = (small.run_uncounted(Hook.TC, with_port(bare, small.port()))[0] for _ in range(_abi.MIN_CONNS + 1))
        assert list(opening) == [Action.REDIRECT] * _abi.MIN_CONNS + [Action.DROP]
        for hook in Hook:
            late = small.run(hook, with_port(bare, small.port()))
            assert (late.action, late.verdicts) == (Action.DROP, {"DROP_TABLE_FULL": 1})
        assert books.read(path).used == _abi.MIN_CONNS


def with_port(content: bytes, port: int) -> bytes:
    """The UDP frame without checksum, from another client port."""
    return content[:34] + port.to_bytes(2, "big") + content[36:]
