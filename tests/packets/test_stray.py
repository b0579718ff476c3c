# SPDX-License-Identifier: GPL-2.0-or-later
"""stray.h: with nat_icmp_send, what NAT servers send from the ports on which they serve, without a connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from bpvs.director import Director
from bpvs.model import Method, Protocol
from tests.packets.chunks import chunk
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference, frame
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.143", 80, "10.2.0.14", 8080)
TCP6 = Path(CLIENT6, "fd00::143", 80, "fd02::14", 8080)
PATHS = {
    "TCP": TCP4,
    "TCP, IPv6": TCP6,
    "UDP": replace(TCP4, protocol=Protocol.UDP),
    "UDP, IPv6": replace(TCP6, protocol=Protocol.UDP),
    "SCTP": replace(TCP4, protocol=Protocol.SCTP),
}
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
HOOKS = pytest.mark.parametrize("hook", Hook)
PASSED = (Action.PASS, {"PASS_NO_SERVICE": 1})


@pytest.fixture(autouse=True)
def _on(rig: Rig) -> Iterator[None]:
    with rig.sysctls(nat_icmp_send=1):
        yield


def shape_of(path: Path) -> Shape:
    return Shape(flags="SA", payload=chunk("DATA", bytes(12)) if path.protocol is Protocol.SCTP else b"")


def refusal(arrived: bytes) -> bytes:
    """Port unreachable from the director's address on the server's network, around the headers of the frame."""
    came = Ether(arrived)
    ip = came.payload
    transport = 8 if ip.payload.name == "UDP" else 20
    if IPv6 in came:
        packet = IPv6(src="fd02::1", dst=ip.src) / ICMPv6DestUnreach(code=4) / Raw(arrived[14 : 54 + transport])
    else:
        error = ICMP(type=3, code=3) / Raw(arrived[14 : 34 + transport])
        packet = IP(src="10.2.0.1", dst=ip.src, tos=0xC0, id=0) / error
    return frame(came.dst, came.src, packet)


def stray(rig: Rig, path: Path, hook: Hook = Hook.TC) -> tuple[Action, dict[str, int]]:
    """What becomes of a packet of the path's server to a client without a connection."""
    run = rig.run(hook, Flow(path, rig.port()).reply(shape_of(path)), "back")
    return run.action, run.verdicts


@EVERY_PATH
def test_it_is_refused_to_the_server_in_the_director_s_name(rig: Rig, path: Path) -> None:
    rig.serve(path.row)
    arrives = Flow(path, rig.port()).reply(shape_of(path))
    run = rig.run(Hook.TC, arrives, "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_STRAY": 1})
    assert not difference(run.frame, refusal(arrives))
    assert rig.run(Hook.XDP, arrives, "back").verdicts == {"PASS_TO_TC": 1}


@HOOKS
@EVERY_PATH
def test_without_the_setting_it_passes(rig: Rig, hook: Hook, path: Path) -> None:
    rig.serve(path.row)
    Director().set_sysctls({"nat_icmp_send": 0})
    assert stray(rig, path, hook) == PASSED
    assert not list(loaded().nat_servers)


@HOOKS
@EVERY_PATH
def test_replies_of_connections_go_on(rig: Rig, hook: Hook, path: Path) -> None:
    rig.serve(path.row)
    flow = Flow(path, rig.port())
    opening = Shape(payload=chunk("INIT", bytes(16)) if path.protocol is Protocol.SCTP else b"")
    rig.run_uncounted(hook, flow.request(opening))
    shape = shape_of(path)
    run = rig.run(hook, flow.reply(shape), "back")
    assert not difference(run.frame, flow.to_client(shape))


@HOOKS
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        pytest.param(PATHS["TCP"], Shape(flags="R"), id="RST"),
        pytest.param(PATHS["TCP"], Shape(flags="RA"), id="RST, ACK"),
        pytest.param(PATHS["SCTP"], Shape(payload=chunk("ABORT")), id="ABORT"),
        pytest.param(PATHS["UDP"], Shape(ip={"frag": 10}), id="a later fragment"),
    ],
)
def test_what_ends_a_connection_and_what_has_no_port_passes(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    rig.serve(path.row)
    run = rig.run(hook, Flow(path, rig.port()).reply(shape), "back")
    assert "DROP_STRAY" not in run.verdicts


@EVERY_PATH
def test_other_ports_and_other_hosts_are_nobody_s_business(rig: Rig, path: Path) -> None:
    rig.serve(path.row)
    assert stray(rig, path)[1] == {"DROP_STRAY": 1}
    assert stray(rig, replace(path, server_port=8081)) == PASSED
    assert stray(rig, replace(path, server=path.server[:-1] + "5")) == PASSED
    other = Protocol.UDP if path.protocol is not Protocol.UDP else Protocol.TCP
    assert stray(rig, replace(path, protocol=other)) == PASSED


@pytest.mark.parametrize("method", [Method.ROUTE, Method.TUNNEL, Method.FULLNAT])
def test_servers_of_other_methods_are_left_alone(rig: Rig, method: Method) -> None:
    local = "10.2.0.200" if method is Method.FULLNAT else ""
    path = replace(TCP4, method=method, server_port=80, local=local)
    rig.serve(path.row, locals_=path.locals)
    assert stray(rig, replace(path, method=Method.NAT, local="")) == PASSED


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_of_a_service_by_mark_any_protocol_counts(rig: Rig, protocol: Protocol) -> None:
    path = replace(TCP4, mark=7)
    rig.serve(path.row)
    assert stray(rig, replace(path, protocol=protocol))[1] == {"DROP_STRAY": 1}


def test_a_server_of_any_port_has_none(rig: Rig) -> None:
    path = replace(TCP4, mark=7, server_port=0)
    rig.serve(path.row)
    assert stray(rig, replace(path, server_port=80)) == PASSED


def test_a_server_that_was_removed_or_lost_its_method_is_left_alone(rig: Rig) -> None:
    rig.serve(TCP4.row)
    key, server = TCP4.row
    with rig.change() as table:
        table.edit_server(key, replace(server, method=Method.FULLNAT))
    assert stray(rig, TCP4) == PASSED
    with rig.change() as table:
        table.edit_server(key, server)
    assert stray(rig, TCP4)[1] == {"DROP_STRAY": 1}
    with rig.change() as table:
        table.delete_server(key, server.address, server.port)
    assert stray(rig, TCP4) == PASSED


def test_what_a_server_begins_itself_is_forwarded_as_it_is(rig: Rig) -> None:
    """Not masqueraded: IPVS translates replies only."""
    rig.serve(TCP4.row)
    frame_ = Flow(replace(TCP4, server_port=40000), rig.port()).reply(Shape())
    for hook in Hook:
        run = rig.run(hook, frame_, "back")
        assert (run.action, run.verdicts, run.frame) == (*PASSED, frame_)
