# SPDX-License-Identifier: GPL-2.0-or-later
"""mark.h: whatever rules there are, a packet gets the mark of the first that fits it, in both hooks."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether

from bpvs.director import Director
from bpvs.director.classifier import read
from bpvs.model import Address, Family, Method, Protocol, RealServer, ServiceKey
from bpvs.model.mark_rule import MarkRule
from bpvs.model.network import Network
from tests.packets.frames import Flow, Path, Shape
from tests.packets.rig import SERVERS, Action, Hook, Rig, mac

pytestmark = pytest.mark.root

MARKS = (1, 2, 3, 0xFFFFFFFF)  # of services; mark n's server is the n-th
OTHER_MARKS = (0, 4)
ADDRESSES = {
    Family.IPV4: ("10.9.0.1", "10.9.0.2", "10.9.128.1", "10.8.0.1", "192.168.3.4"),
    Family.IPV6: ("fd09::1", "fd09::2", "fd09:0:8000::1", "fd08::1", "2001:db8::4"),
}
PORTS = (0, 1, 79, 80, 81, 443, 8000, 8050, 8100, 65535)
LINKS = ("front", "narrow")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that opens a connection, and the interface that brings it."""

    family: Family
    src: str
    dst: str
    dport: int
    protocol: Protocol
    link: str


def fits(rule: MarkRule, packet: Arrival) -> bool:
    return (
        rule.dst.family is packet.family
        and ip_address(packet.dst) in ip_network(f"{rule.dst.address}/{rule.dst.length}")
        and (rule.src is None or ip_address(packet.src) in ip_network(f"{rule.src.address}/{rule.src.length}"))
        and rule.protocol in (None, packet.protocol)
        and (not rule.ports or any(first <= packet.dport <= last for first, last in rule.ports))
        and rule.interface in ("", packet.link)
    )


def expected(rules: list[MarkRule], packet: Arrival) -> int:
    return next((rule.mark for rule in rules if fits(rule, packet)), 0)


@st.composite
def networks(draw: st.DrawFn, family: Family) -> Network:
    packed = Address.parse(draw(st.sampled_from(ADDRESSES[family]))).packed
    bits = 8 * len(packed)
    length = draw(st.sampled_from((0, 8, 17, 24, 31, bits - 1, bits)))
    whole = int.from_bytes(packed, "big") >> (bits - length) << (bits - length)
    return Network(Address(family, whole.to_bytes(len(packed), "big")), length)


@st.composite
def rules(draw: st.DrawFn) -> MarkRule:
    family = draw(st.sampled_from(Family))
    ends = st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(lambda pair: (min(pair), max(pair)))
    return MarkRule(
        mark=draw(st.sampled_from(MARKS + OTHER_MARKS)),
        dst=draw(networks(family)),
        src=draw(st.none() | networks(family).filter(lambda network: network.length > 0)),
        protocol=draw(st.none() | st.sampled_from(Protocol)),
        ports=tuple(draw(st.lists(ends, max_size=8))),
        interface=draw(st.sampled_from(("", *LINKS, "nosuch0"))),
    )


@st.composite
def arrivals(draw: st.DrawFn) -> Arrival:
    family = draw(st.sampled_from(Family))
    addresses = st.sampled_from(ADDRESSES[family])
    return Arrival(
        family=family,
        src=draw(addresses),
        dst=draw(addresses),
        dport=draw(st.sampled_from(PORTS)),
        protocol=draw(st.sampled_from((Protocol.TCP, Protocol.UDP))),
        link=draw(st.sampled_from(LINKS)),
    )


def server(family: Family, mark: int) -> str:
    number = SERVERS[MARKS.index(mark)]
    return f"10.2.0.{number}" if family is Family.IPV4 else f"fd02::{number}"


def put(rig: Rig, wanted: list[MarkRule]) -> None:
    rows = [
        (ServiceKey.marked(mark, family), RealServer(Address.parse(server(family, mark)), 0, Method.ROUTE))
        for family in Family
        for mark in MARKS
    ]
    rig.serve(*rows)
    Director().set_mark_rules(lambda _: wanted)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.lists(rules(), max_size=12), packets=st.lists(st.tuples(arrivals(), st.sampled_from(Hook)), max_size=20)
)
def test_any_rules(rig: Rig, wanted: list[MarkRule], packets: list[tuple[Arrival, Hook]]) -> None:
    put(rig, wanted)
    assert list(Director().mark_rules()) == wanted
    for packet, hook in packets:
        path = Path(packet.src, packet.dst, packet.dport, "", 0, packet.protocol)
        frame = Flow(path, rig.port()).request(Shape())
        if packet.link != "front":
            frame = bytes.fromhex(mac(LINKS.index(packet.link) + 2, 1).replace(":", "")) + frame[6:]
        action, left = rig.run_uncounted(hook, frame, packet.link)
        mark = expected(wanted, packet)
        if mark in MARKS:
            assert Ether(left).dst == mac(2, SERVERS[MARKS.index(mark)]), (packet, mark)
        else:
            assert action is Action.PASS, (packet, mark)
    put(rig, [])


def test_as_many_rules_as_there_is_room_for(rig: Rig) -> None:
    """The last of 256 decides as the first would."""
    last = MarkRule(3, Network.parse("10.9.0.2"), ports=((80, 80),))
    put(rig, [MarkRule(2, Network.parse(f"10.3.0.{number}")) for number in range(255)] + [last])
    for hook in Hook:
        path = Path("10.9.0.1", "10.9.0.2", 80, "", 0)
        _, left = rig.run_uncounted(hook, Flow(path, rig.port()).request(Shape()))
        assert Ether(left).dst == mac(2, SERVERS[2])
    instance = Director().instance()
    assert instance is not None
    assert len(read(instance)) == 256
    put(rig, [])
