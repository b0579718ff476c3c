# SPDX-License-Identifier: GPL-2.0-or-later
"""service.h: what opens a connection only because a setting says so: sloppy_tcp, sloppy_sctp, schedule_icmp."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig

from bpvs.model import Method, Protocol, VirtualService
from tests.packets.chunks import TYPES, chunk
from tests.packets.errors import BARE, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.listing import connection_of, counts, state_of, traffic
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.142", 80, "10.2.0.11", 8080)
TCP6 = Path(CLIENT6, "fd00::142", 80, "fd02::11", 8080)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
SCTP4 = replace(TCP4, protocol=Protocol.SCTP)
ROUTE4 = replace(TCP4, server_port=80, method=Method.ROUTE)
HOOKS = pytest.mark.parametrize("hook", Hook)


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6, ROUTE4], ids=["IPv4", "IPv6", "DR"])
@pytest.mark.parametrize(("flags", "state"), [("A", "ESTABLISHED"), ("PA", "ESTABLISHED"), ("FA", "CLOSE")])
def test_a_segment_without_syn_opens_a_connection(rig: Rig, hook: Hook, path: Path, flags: str, state: str) -> None:
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    shape = Shape(flags=flags)
    assert rig.run(hook, flow.request(shape)).verdicts == {"PASS_NO_CONNECTION": 1}
    with rig.sysctls(sloppy_tcp=1):
        run = rig.run(hook, flow.request(shape))
    assert not difference(run.frame, flow.to_server(shape))
    assert state_of(flow) == state


@HOOKS
@pytest.mark.parametrize("flags", ["R", "RA", "SR"])
def test_rst_opens_none(rig: Rig, hook: Hook, flags: str) -> None:
    path = alone(rig, TCP4)
    with rig.sysctls(sloppy_tcp=1):
        run = rig.run(hook, Flow(path, rig.port()).request(Shape(flags=flags)))
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_CONNECTION": 1})


@HOOKS
def test_client_port_20_opens_none(rig: Rig, hook: Hook) -> None:
    path = alone(rig, TCP4)
    with rig.sysctls(sloppy_tcp=1):
        assert rig.run(hook, Flow(path, 20).request(Shape(flags="A"))).verdicts == {"PASS_NO_CONNECTION": 1}


@HOOKS
def test_without_a_server_the_segment_is_refused_like_a_syn(rig: Rig, hook: Hook) -> None:
    """As recorded: the client is told that the port is unreachable, where else the stack would answer RST."""
    path = alone(rig, TCP4)
    with rig.change() as table:
        table.delete_server(path.key, path.row[1].address, path.row[1].port)
    flow = Flow(path, rig.port())
    with rig.sysctls(sloppy_tcp=1):
        run = rig.run(hook, flow.request(Shape(flags="A")))
    assert run.verdicts == ({"DROP_NO_SERVER": 1} if hook is Hook.TC else {"PASS_TO_TC": 1})


@HOOKS
@pytest.mark.parametrize("name", [name for name in TYPES if name not in ("INIT", "ABORT")])
def test_an_sctp_packet_without_init_opens_an_association(rig: Rig, hook: Hook, name: str) -> None:
    path = alone(rig, SCTP4)
    flow = Flow(path, rig.port())
    frame = flow.request(Shape(payload=chunk(name, bytes(8))))
    assert rig.run(hook, frame).verdicts == {"PASS_NO_CONNECTION": 1}
    with rig.sysctls(sloppy_sctp=1):
        assert rig.run(hook, frame).is_forwarded
    assert connection_of(flow) is not None


@HOOKS
def test_abort_opens_none(rig: Rig, hook: Hook) -> None:
    path = alone(rig, SCTP4)
    with rig.sysctls(sloppy_sctp=1):
        run = rig.run(hook, Flow(path, rig.port()).request(Shape(payload=chunk("ABORT"))))
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_CONNECTION": 1})


TOO_BIG = ICMP(type=3, code=4, nexthopmtu=1300)


@HOOKS
@pytest.mark.parametrize(
    ("path", "header"),
    [(TCP4, TOO_BIG), (UDP4, TOO_BIG), (ROUTE4, TOO_BIG), (TCP6, ICMPv6PacketTooBig(mtu=1300))],
    ids=["TCP", "UDP", "DR", "IPv6"],
)
def test_an_icmp_error_about_a_reply_opens_the_connection_that_it_is_about(
    rig: Rig, hook: Hook, path: Path, header: object
) -> None:
    """It counts as a connection and a packet; the state machine has seen nothing yet, so it lasts for 3 s."""
    path = alone(rig, path)
    untouched = "UDP" if path.protocol is Protocol.UDP else "NONE"  # IPVS's names of state 0
    flow = Flow(path, rig.port())
    arrives, leaves = Error(header, BARE, from_router=True).to_server(flow)
    assert rig.run(hook, arrives).verdicts == {"PASS_NO_SERVICE": 1}
    assert connection_of(flow) is None
    with rig.sysctls(schedule_icmp=1):
        run = rig.run(hook, arrives)
    assert run.is_forwarded
    assert not difference(run.frame, leaves)
    one = connection_of(flow)
    assert one is not None
    assert (one.state, 2 <= one.expires <= 3) == (untouched, True)
    assert (counts(path), traffic(path)[:3]) == ((0, 1), (1, 1, 0))


@HOOKS
def test_no_icmp_error_passes_synproxy(rig: Rig, hook: Hook) -> None:
    path = alone(rig, TCP4)
    with rig.change() as table:
        table.edit_service(VirtualService(path.key, "rr", synproxy=True))
    flow = Flow(path, rig.port())
    with rig.sysctls(schedule_icmp=1):
        run = rig.run(hook, Error(TOO_BIG, BARE, from_router=True).to_server(flow)[0])
    assert run.verdicts == {"PASS_NO_SERVICE": 1}


@HOOKS
def test_without_a_server_nobody_is_told_of_an_icmp_error(rig: Rig, hook: Hook) -> None:
    path = alone(rig, TCP4)
    with rig.change() as table:
        table.delete_server(path.key, path.row[1].address, path.row[1].port)
    with rig.sysctls(schedule_icmp=1):
        run = rig.run(hook, Error(TOO_BIG, BARE, from_router=True).to_server(Flow(path, rig.port()))[0])
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_NO_SERVER": 1})
