# SPDX-License-Identifier: GPL-2.0-or-later
"""reuse.h: a client's packet on a connection that is over, or whose server is gone or quiet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bpvs.lab.wait import until
from bpvs.model import Method, Protocol
from tests.packets.chunks import chunk
from tests.packets.errors import BARE, UNREACHABLE, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone
from tests.packets.listing import connection_of, counts, put_into, state_of
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.140", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::140", 80, "fd02::11", 80)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
SCTP4 = replace(TCP4, protocol=Protocol.SCTP)
OTHER = {False: "10.2.0.12", True: "fd02::12"}
HOOKS = pytest.mark.parametrize("hook", Hook)
PATHS = pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])


def opening(path: Path) -> Shape:
    return Shape(payload=chunk("INIT", bytes(16)) if path.protocol is Protocol.SCTP else b"")


@pytest.fixture
def two(rig: Rig) -> Iterator[None]:
    """Settings of a test end with it."""
    with rig.sysctls(conn_reuse_mode=1, expire_nodest_conn=0):
        yield


def begun(rig: Rig, path: Path, state: str = "") -> tuple[Flow, Flow]:
    """A connection to the first of two servers, in a state; and the same client's with the other server."""
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    rig.run_uncounted(Hook.TC, flow.request(opening(path)))
    if state:
        put_into(flow, state)
    other = replace(path, server=OTHER[path.is_ipv6])
    with rig.change() as table:
        table.add_server(*other.row)
    return flow, Flow(other, flow.port)


def server_of(flow: Flow) -> str | None:
    one = connection_of(flow)
    return str(one.server) if one else None


@HOOKS
@PATHS
@pytest.mark.parametrize(
    ("mode", "method", "state", "moves"),
    [
        (0, Method.NAT, "TIME_WAIT", False),
        (0, Method.NAT, "CLOSE", False),
        (1, Method.NAT, "TIME_WAIT", True),
        (1, Method.ROUTE, "CLOSE", True),
        (1, Method.ROUTE, "FIN_WAIT", False),
        (2, Method.NAT, "CLOSE", True),
        (2, Method.ROUTE, "FIN_WAIT", True),
        (3, Method.ROUTE, "FIN_WAIT", True),
        (3, Method.NAT, "FIN_WAIT", False),  # its replies pass
        (3, Method.ROUTE, "CLOSE_WAIT", False),
        (3, Method.ROUTE, "ESTABLISHED", False),
    ],
)
@pytest.mark.usefixtures("two")
def test_syn_by_conn_reuse_mode(
    rig: Rig, hook: Hook, path: Path, mode: int, method: Method, state: str, moves: bool
) -> None:
    flow, other = begun(rig, replace(path, method=method), state)
    with rig.sysctls(conn_reuse_mode=mode):
        assert rig.run_uncounted(hook, flow.request(Shape()))[0] is Action.REDIRECT
    assert server_of(flow) == (other if moves else flow).path.server


@HOOKS
def test_of_dr_a_reply_that_was_seen_tells_that_fin_wait_is_not_over(rig: Rig, hook: Hook) -> None:
    flow, _ = begun(rig, replace(TCP4, method=Method.ROUTE))
    rig.run_uncounted(Hook.TC, flow.reply(Shape(flags="SA")), "back")
    put_into(flow, "FIN_WAIT")
    with rig.sysctls(conn_reuse_mode=3):
        rig.run_uncounted(hook, flow.request(Shape()))
    assert server_of(flow) == flow.path.server


@HOOKS
@pytest.mark.parametrize("flags", ["A", "FA", "PA", "R"])
def test_only_syn_asks(rig: Rig, hook: Hook, flags: str) -> None:
    flow, _ = begun(rig, TCP4, "TIME_WAIT")
    rig.run_uncounted(hook, flow.request(Shape(flags=flags)))
    assert server_of(flow) == flow.path.server


@HOOKS
def test_syn_with_rst_ends_a_connection_that_is_over_and_opens_none(rig: Rig, hook: Hook) -> None:
    flow, _ = begun(rig, TCP4, "TIME_WAIT")
    run = rig.run(hook, flow.request(Shape(flags="SR")))
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_CONNECTION": 1})
    assert connection_of(flow) is None


@HOOKS
@pytest.mark.parametrize(("mode", "moves"), [(0, False), (1, True)])
@pytest.mark.usefixtures("two")
def test_init_on_a_closed_association(rig: Rig, hook: Hook, mode: int, moves: bool) -> None:
    flow, other = begun(rig, SCTP4)
    rig.run_uncounted(Hook.TC, flow.request(Shape(payload=chunk("ABORT"))))
    assert state_of(flow) == "CLOSED"
    with rig.sysctls(conn_reuse_mode=mode):
        rig.run_uncounted(hook, flow.request(opening(SCTP4)))
    assert server_of(flow) == (other if moves else flow).path.server


def remove(rig: Rig, flow: Flow) -> None:
    key, server = flow.path.row
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)


def freeze(rig: Rig, flow: Flow) -> None:
    """The server has weight 0 from now on."""
    key, server = flow.path.row
    with rig.change() as table:
        table.edit_server(key, replace(server, weight=0))


@HOOKS
@pytest.mark.parametrize(
    ("path", "shape", "verdicts"),
    [
        pytest.param(TCP4, Shape(flags="A"), {"PASS_NO_CONNECTION": 1}, id="ACK: the stack answers RST"),
        pytest.param(TCP4, Shape(flags="S"), {}, id="SYN"),
        pytest.param(TCP6, Shape(flags="S"), {}, id="SYN, IPv6"),
        pytest.param(UDP4, Shape(), {}, id="datagram"),
    ],
)
@pytest.mark.usefixtures("two")
def test_packet_for_a_removed_server_by_expire_nodest_conn(
    rig: Rig, hook: Hook, path: Path, shape: Shape, verdicts: dict[str, int]
) -> None:
    """The walk may have ended the connection before the packet comes: what becomes of the packet is the same."""
    flow, other = begun(rig, path)
    remove(rig, flow)
    with rig.sysctls(conn_reuse_mode=0):
        assert rig.run(hook, flow.request(shape)).verdicts == {"DROP_SERVER_REMOVED": 1}
    with rig.sysctls(conn_reuse_mode=0, expire_nodest_conn=1):
        assert rig.run(hook, flow.request(shape)).verdicts == verdicts
    assert server_of(flow) == (None if verdicts else other.path.server)


@HOOKS
@pytest.mark.parametrize("mode", [0, 1, 3])
@pytest.mark.parametrize(
    ("path", "state"),
    [
        (TCP4, "SYN_RECV"),
        (TCP6, "ESTABLISHED"),
        (replace(TCP4, method=Method.ROUTE), "SYN_RECV"),
        (replace(TCP4, method=Method.ROUTE), "FIN_WAIT"),
        (replace(TCP6, method=Method.TUNNEL), "ESTABLISHED"),
        (SCTP4, ""),
    ],
    ids=lambda value: f"{value.protocol.name}-{value.method.name}" if isinstance(value, Path) else value or "begun",
)
@pytest.mark.usefixtures("two")
def test_who_asks_for_a_connection_is_not_sent_to_a_removed_server(
    rig: Rig, hook: Hook, path: Path, state: str, mode: int
) -> None:
    """IPVS drops it for as long as the old connection lasts."""
    flow, other = begun(rig, path, state)
    remove(rig, flow)
    again = Shape(payload=opening(path).payload)
    with rig.sysctls(conn_reuse_mode=mode):
        assert rig.run(hook, flow.request(again)).verdicts == ({} if mode else {"DROP_SERVER_REMOVED": 1})
    assert server_of(flow) == (other if mode else flow).path.server
    with rig.change() as table:
        table.add_server(*flow.path.row)
    assert sum(counts(flow.path)) == (0 if mode else 1)


@pytest.mark.usefixtures("two")
def test_connections_of_a_removed_server_end_within_a_walk(rig: Rig) -> None:
    flow, other = begun(rig, TCP4)
    stays = Flow(other.path, rig.port())
    rig.run_uncounted(Hook.TC, stays.request(Shape()))
    assert server_of(stays) == other.path.server
    with rig.sysctls(expire_nodest_conn=1):
        remove(rig, flow)
        until(lambda: connection_of(flow) is None, "the end of the connection", 5)
        assert server_of(stays) == other.path.server


def test_without_the_setting_they_stay(rig: Rig) -> None:
    flow, _ = begun(rig, TCP4)
    remove(rig, flow)
    assert rig.run(Hook.TC, flow.request(Shape(flags="A"))).verdicts == {"DROP_SERVER_REMOVED": 1}
    assert server_of(flow) == flow.path.server


@HOOKS
@pytest.mark.parametrize("state", ["ESTABLISHED", "SYN_RECV", "TIME_WAIT"])
@pytest.mark.usefixtures("two")
def test_syn_for_a_server_of_weight_0_is_scheduled_anew_whatever_the_state(rig: Rig, hook: Hook, state: str) -> None:
    flow, other = begun(rig, TCP4, state)
    freeze(rig, flow)
    with rig.sysctls(expire_nodest_conn=1, conn_reuse_mode=0):
        rig.run_uncounted(hook, flow.request(Shape(flags="A")))
        assert server_of(flow) == flow.path.server
        rig.run_uncounted(hook, flow.request(Shape()))
    assert server_of(flow) == other.path.server
    assert counts(flow.path) == (0, 0)


@HOOKS
def test_without_the_setting_it_stays(rig: Rig, hook: Hook) -> None:
    flow, _ = begun(rig, TCP4, "ESTABLISHED")
    freeze(rig, flow)
    rig.run_uncounted(hook, flow.request(Shape()))
    assert server_of(flow) == flow.path.server


@HOOKS
@pytest.mark.usefixtures("two")
def test_an_icmp_error_about_a_connection_of_a_removed_server_goes_on(rig: Rig, hook: Hook) -> None:
    flow, _ = begun(rig, TCP4)
    remove(rig, flow)
    error = Error(UNREACHABLE, BARE)
    arrives, leaves = error.to_client(flow)
    run = rig.run(hook, arrives, "back")
    assert (run.is_forwarded, run.frame) == (True, leaves)
