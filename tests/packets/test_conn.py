# SPDX-License-Identifier: GPL-2.0-or-later
"""begin.h, conn.h and tcp_state.h: what becomes of a connection, packet by packet, against the tables of IPVS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.kernel import _abi
from bpvs.model import Method, Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import connection_of, counts, put_into, traffic
from tests.packets.rig import Action, Hook, Rig
from tests.property.ipvs_model import ACTIVE, SECURE_TABLE, TABLE, TCP_STATES

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.105", 80, "10.2.0.12", 8080)
TCP6 = Path(CLIENT6, "fd00::105", 80, "fd02::12", 8080)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
UDP6 = replace(TCP6, protocol=Protocol.UDP)
PATHS = {"tcp4": TCP4, "tcp6": TCP6, "udp4": UDP4, "udp6": UDP6}
FLAGS = {"SYN": "S", "FIN": "FA", "ACK": "A", "RST": "R", "nul": "P"}
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def send(rig: Rig, hook: Hook, flow: Flow, word: str) -> Action:
    """A word as the recordings have them: "cS", "sSA"; of UDP only the sender counts."""
    shape = Shape(flags=word[1:])
    frame, link = (flow.request(shape), "front") if word[0] == "c" else (flow.reply(shape), "back")
    return rig.run_uncounted(hook, frame, link)[0]


@HOOKS
@EVERY_PATH
def test_new_connection_is_listed_with_all_its_ends(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    assert connection_of(flow) is None
    send(rig, hook, flow, "cS")
    one = connection_of(flow)
    assert one is not None
    ends = (one.client, one.client_port, one.virtual, one.virtual_port, one.server, one.server_port)
    key, server = path.row
    assert ends == (
        type(server.address).parse(path.client),
        flow.port,
        key.address,
        key.port,
        server.address,
        server.port,
    )
    assert one.state == ("UDP" if path.protocol is Protocol.UDP else "SYN_RECV")


@HOOKS
@pytest.mark.parametrize("path", [UDP4, UDP6], ids=["IPv4", "IPv6"])
def test_udp_has_one_state_and_is_never_active(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    for word in ("c", "s", "c"):
        assert send(rig, hook, flow, word) is Action.REDIRECT
        one = connection_of(flow)
        assert one is not None
        assert one.state == "UDP"
        assert 299 <= one.expires <= 300
        assert counts(path) == (0, 1)


@pytest.mark.parametrize(
    ("method", "replied", "sender"),
    [
        pytest.param(Method.NAT, False, "client", id="client"),
        pytest.param(Method.NAT, False, "server", id="server"),
        pytest.param(Method.ROUTE, False, "alone", id="client alone"),
        pytest.param(Method.ROUTE, False, "server", id="first reply"),
        pytest.param(Method.ROUTE, True, "client", id="client after a reply"),
    ],
)
@pytest.mark.parametrize("event", FLAGS)
@pytest.mark.parametrize("secure", [0, 3], ids=["plain", "secure"])
def test_every_cell_of_the_table(rig: Rig, event: str, secure: int, method: Method, replied: bool, sender: str) -> None:
    """The connection is put into each state, counted rightly; then a segment comes."""
    table = SECURE_TABLE if secure else TABLE
    for state in TCP_STATES.values():
        path = alone(rig, replace(TCP4, method=method))
        flow = Flow(path, rig.port())
        send(rig, Hook.TC, flow, "cS")
        if replied:
            send(rig, Hook.TC, flow, "sSA")
        put_into(flow, state)
        with rig.sysctls(secure_tcp=secure, conn_reuse_mode=0):
            assert send(rig, Hook.TC, flow, ("s" if sender == "server" else "c") + FLAGS[event]) is Action.REDIRECT
        expected = table[sender, event, state]
        one = connection_of(flow)
        assert one is not None
        assert one.state == expected, state
        assert counts(path) == ((1, 0) if expected in ACTIVE else (0, 1)), state


OTHER = replace(TCP4, server="10.2.0.13")


def add_other(rig: Rig, path: Path) -> None:
    """The service gets a second server."""
    with rig.change() as table:
        table.add_server(path.key, OTHER.row[1])


CLOSED = {"TIME_WAIT": ("cS", "sSA", "cA", "cFA", "sFA"), "CLOSE": ("cS", "sRA")}
OPEN = {
    "SYN_RECV": ("cS",),
    "ESTABLISHED": ("cS", "sSA", "cA"),
    "FIN_WAIT": ("cS", "sSA", "cA", "sFA"),
    "CLOSE_WAIT": ("cS", "sSA", "cA", "cFA"),
}


def server_of(flow: Flow) -> str:
    one = connection_of(flow)
    assert one is not None
    return str(one.server)


@HOOKS
@pytest.mark.parametrize("state", CLOSED)
def test_syn_on_a_connection_that_is_over_is_scheduled_anew(rig: Rig, hook: Hook, state: str) -> None:
    """conn_reuse_mode 1."""
    path = alone(rig, TCP4)
    add_other(rig, path)
    flow, reached = Flow(path, rig.port()), []
    for _ in range(2):
        assert send(rig, hook, flow, "cS") is Action.REDIRECT
        reached.append(server_of(flow))
        there = Flow(replace(path, server=reached[-1]), flow.port)
        for word in CLOSED[state][1:]:
            send(rig, hook, there, word)
        one = connection_of(flow)
        assert one is not None
        assert one.state == state
    assert reached == [OTHER.server, TCP4.server]
    assert counts(path) == (0, 1)
    assert counts(replace(path, server=OTHER.server)) == (0, 0)


@HOOKS
@pytest.mark.parametrize("state", OPEN)
def test_syn_on_an_open_connection_stays_with_its_server(rig: Rig, hook: Hook, state: str) -> None:
    path = alone(rig, TCP4)
    add_other(rig, path)
    flow = Flow(path, rig.port())
    send(rig, hook, flow, "cS")
    first = server_of(flow)
    there = Flow(replace(path, server=first), flow.port)
    for word in OPEN[state][1:]:
        send(rig, hook, there, word)
    for _ in range(3):
        send(rig, hook, there, "cS")
        assert server_of(flow) == first


@HOOKS
@EVERY_PATH
def test_connection_of_a_removed_server_takes_only_replies_and_is_revived(rig: Rig, hook: Hook, path: Path) -> None:
    """What the server still sends reaches its client, uncounted, as in IPVS (handle_response)."""
    path = alone(rig, path)
    key, server = path.row
    flow = Flow(path, rig.port())
    send(rig, hook, flow, "cS")
    before, counted = counts(path), traffic(path)
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)
    request = flow.request(Shape(flags="A"))
    run = rig.run(hook, request)
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_SERVER_REMOVED": 1}, request)
    run = rig.run(hook, flow.reply(Shape(flags="SA")), "back")
    assert not difference(run.frame, flow.to_client(Shape(flags="SA")))
    one = connection_of(flow)
    assert one is not None
    assert one.state in ("SYN_RECV", "UDP")
    with rig.change() as table:
        table.add_server(key, server)
    assert (counts(path), traffic(path)) == (before, counted)
    run = rig.run(hook, flow.request(Shape(flags="A")))
    assert not difference(run.frame, flow.to_server(Shape(flags="A")))


@HOOKS
@EVERY_PATH
def test_weight_0_keeps_what_is_established(rig: Rig, hook: Hook, path: Path) -> None:
    key, server = path.row
    flow = Flow(path, rig.port())
    send(rig, hook, flow, "cS")
    with rig.change() as table:
        table.edit_server(key, replace(server, weight=0))
    assert not difference(rig.run(hook, flow.reply(Shape(flags="SA")), "back").frame, flow.to_client(Shape(flags="SA")))
    assert rig.run(Hook.TC, Flow(path, rig.port()).request(Shape())).verdicts == {"DROP_NO_SERVER": 1}


@HOOKS
@EVERY_PATH
def test_deleted_service_leaves_its_connections_to_run_out(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    send(rig, hook, flow, "cS")
    with rig.change() as table:
        table.delete_service(path.key)
    assert rig.run(hook, flow.request(Shape(flags="A"))).verdicts == {"DROP_SERVER_REMOVED": 1}
    opening = rig.run(hook, Flow(path, rig.port()).request(Shape()))
    assert (opening.action, opening.verdicts) == (Action.PASS, {"PASS_NO_SERVICE": 1})


@HOOKS
def test_two_services_with_one_server_port_share_the_reply_key(rig: Rig, hook: Hook) -> None:
    """Client port and server port are the same: the newest connection gets the replies, as in IPVS."""
    first, second = TCP4, replace(TCP4, virtual_port=81)
    rig.serve(first.row, second.row)
    port = rig.port()
    for path in (first, second):
        send(rig, hook, Flow(path, port), "cS")
    reply = Shape(flags="SA")
    assert not difference(
        rig.run(hook, Flow(second, port).reply(reply), "back").frame, Flow(second, port).to_client(reply)
    )
    request = Shape(flags="A")
    assert not difference(rig.run(hook, Flow(first, port).request(request)).frame, Flow(first, port).to_server(request))


def test_full_table_keeps_what_it_has_and_refuses_the_rest(small: Rig) -> None:
    with small.inside():
        small.serve(UDP4.row)
        flows = [Flow(UDP4, small.port()) for _ in range(_abi.MIN_CONNS + 8)]
        bare = flows[0].request(Shape(transport={"chksum": 0}))
        runs = [small.run_uncounted(Hook.TC, with_port(bare, flow.port))[0] for flow in flows]
        assert runs == [Action.REDIRECT] * _abi.MIN_CONNS + [Action.DROP] * 8
        for hook in Hook:
            late = small.run(hook, flows[-1].request(Shape()))
            assert (late.action, late.verdicts) == (Action.DROP, {"DROP_TABLE_FULL": 1})
            assert small.run(hook, flows[0].request(Shape())).is_forwarded
            assert small.run(hook, flows[0].reply(Shape()), "back").is_forwarded
        assert counts(UDP4) == (0, _abi.MIN_CONNS)


def with_port(content: bytes, port: int) -> bytes:
    """The UDP frame without checksum, from another client port."""
    return content[:34] + port.to_bytes(2, "big") + content[36:]
