# SPDX-License-Identifier: GPL-2.0-or-later
"""answer.h, refuse.h: who sent a packet that is not forwarded is told why, from the address that the packet was for.

XDP leaves such packets to TC, which turns them into an ICMP error (RFC 792, RFC 4443) and sends them back.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6ExtHdrDestOpt

from bpvs.lab.wait import until
from bpvs.model import Protocol
from tests.packets.errors import UNREACHABLE, Error, answer
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.106", 80, "10.3.0.12", 8080, link=3)
TCP6 = Path(CLIENT6, "fd00::106", 80, "fd03::12", 8080, link=3)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
UDP6 = replace(TCP6, protocol=Protocol.UDP)
EMPTY = {path: replace(path, virtual_port=81) for path in (TCP4, TCP6, UDP4, UDP6)}
NAMES = ("tcp4", "tcp6", "udp4", "udp6")
EVERY_PATH = pytest.mark.parametrize("path", EMPTY, ids=NAMES)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in EMPTY), *((path.key, replace(path.row[1], weight=0)) for path in EMPTY.values()))


def run_both(rig: Rig, arrived: bytes, verdict: str, link: str = "front") -> bytes:
    """What TC sends back; XDP leaves the packet to it."""
    if link != "lo":
        early = rig.run(Hook.XDP, arrived, link)
        assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrived)
    late = rig.run(Hook.TC, arrived, link)
    assert (late.action, late.verdicts) == (Action.REDIRECT, {verdict: 1})
    return late.frame


@EVERY_PATH
def test_no_server(rig: Rig, path: Path) -> None:
    path = EMPTY[path]
    arrived = Flow(path, rig.port()).request(Shape(payload=b"not quoted", padding=b"neither"))
    error = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    assert not difference(run_both(rig, arrived, "DROP_NO_SERVER"), answer(arrived, error))


@EVERY_PATH
def test_no_route(rig: Rig, path: Path) -> None:
    path = alone(rig, replace(path, server="fd07::13" if path.is_ipv6 else "10.7.0.13"))
    arrived = Flow(path, rig.port()).request(Shape())
    error = ICMPv6DestUnreach(code=3) if path.is_ipv6 else ICMP(type=3, code=1)
    assert not difference(run_both(rig, arrived, "DROP_NO_ROUTE"), answer(arrived, error))


@EVERY_PATH
@pytest.mark.parametrize("ttl", [0, 1])
def test_time_to_live(rig: Rig, path: Path, ttl: int) -> None:
    arrived = Flow(path, rig.port()).request(Shape(ttl=ttl))
    error = ICMPv6TimeExceeded() if path.is_ipv6 else ICMP(type=11)
    assert not difference(run_both(rig, arrived, "DROP_TTL"), answer(arrived, error))


@EVERY_PATH
def test_too_big(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    assert rig.run(Hook.TC, flow.request(Shape())).is_forwarded
    arrived = flow.request(Shape(flags="A", payload=bytes(NARROW_MTU), ip={} if path.is_ipv6 else {"flags": "DF"}))
    error = ICMPv6PacketTooBig(mtu=NARROW_MTU) if path.is_ipv6 else ICMP(type=3, code=4, nexthopmtu=NARROW_MTU)
    assert not difference(run_both(rig, arrived, "DROP_TOO_BIG"), answer(arrived, error))


@pytest.mark.parametrize("path", [TCP4, UDP4], ids=["TCP", "UDP"])
def test_too_big_but_may_be_fragmented(rig: Rig, path: Path) -> None:
    """The kernel, which cuts it and uses up its hop, gets it as it is to leave."""
    flow = Flow(path, rig.port())
    rig.run(Hook.TC, flow.request(Shape()))
    shape = Shape(flags="A", payload=bytes(NARROW_MTU))
    arrived = flow.request(shape)
    early = rig.run(Hook.XDP, arrived)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrived)
    run = rig.run(Hook.TC, arrived)
    assert (run.action, run.verdicts) == (Action.PASS, {})
    assert not difference(run.frame, arrived[:14] + flow.to_server(replace(shape, ttl=65))[14:])


@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_options_and_extension_headers_are_quoted(rig: Rig, path: Path) -> None:
    path = EMPTY[path]
    shape = Shape(extensions=IPv6ExtHdrDestOpt()) if path.is_ipv6 else Shape(ip={"options": b"\1" * 40})
    arrived = Flow(path, rig.port()).request(shape)
    error = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    expected = answer(arrived, error, quote=len(arrived) - 14)
    assert not difference(run_both(rig, arrived, "DROP_NO_SERVER"), expected)


@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_client_on_the_director(rig: Rig, path: Path) -> None:
    path = replace(EMPTY[path], client="fd01::1" if path.is_ipv6 else "10.1.0.1")
    arrived = Flow(path, rig.port(), is_local=True).request(Shape())
    error = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    expected = answer(arrived, error)
    assert not difference(run_both(rig, arrived, "DROP_NO_SERVER", "lo"), expected)


@pytest.mark.parametrize("hook", Hook)
def test_no_error_about_an_error(rig: Rig, hook: Hook) -> None:
    """RFC 1122 3.2.2."""
    flow = Flow(TCP4, rig.port())
    rig.run(hook, flow.request(Shape()))
    arrived = Error(UNREACHABLE, Shape()).to_client(flow)[0]
    aged = IP(arrived[14:])
    aged.ttl = 1
    del aged.chksum
    arrived = arrived[:14] + bytes(raw(aged))
    run = rig.run(hook, arrived, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_TTL": 1}, arrived)


def test_at_most_a_thousand_a_second(rig: Rig) -> None:
    arrived = Flow(EMPTY[TCP4], rig.port()).request(Shape())
    actions = [rig.run_uncounted(Hook.TC, arrived)[0] for _ in range(2500)]
    assert Action.DROP in actions
    assert actions.count(Action.REDIRECT) >= 1
    until(lambda: rig.run_uncounted(Hook.TC, arrived)[0] is Action.REDIRECT, "answers in the next second", 3)
