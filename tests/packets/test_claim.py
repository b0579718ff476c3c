# SPDX-License-Identifier: GPL-2.0-or-later
"""claim.h: what the director answers for addresses of its table that the host does not own."""

from __future__ import annotations

import pytest
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from bpvs.model import Address, Method, Protocol, RealServer, ServiceKey, VirtualService
from tests.packets.frames import difference
from tests.packets.pieces import pieces
from tests.packets.rig import Action, Hook, Rig, mac

pytestmark = pytest.mark.root

LOCAL, LOCAL6 = "10.2.0.222", "fd02::222"  # of the network behind `back`, nobody's there
VIRTUAL, VIRTUAL6 = "10.0.0.222", "fd00::222"
ASKER, ASKER6, ASKER_MAC = "10.2.0.13", "fd02::13", mac(2, 13)
OURS = mac(2, 1)
EVERYBODY, GROUP = "ff:ff:ff:ff:ff:ff", "33:33:ff:00:02:22"


@pytest.fixture(autouse=True)
def _table(rig: Rig) -> None:
    with rig.change() as table:
        table.clear()
        for virtual, server, local in ((VIRTUAL, "10.2.0.11", LOCAL), (VIRTUAL6, "fd02::11", LOCAL6)):
            key = ServiceKey.at(Protocol.TCP, Address.parse(virtual), 80)
            table.add_service(VirtualService(key, "rr"))
            table.add_local(key, Address.parse(local))
            table.add_server(key, RealServer(Address.parse(server), 80, Method.FULLNAT))


def arp(target: str, sender: str = ASKER, op: int = 1) -> Packet:
    return Ether(src=ASKER_MAC, dst=EVERYBODY) / ARP(op=op, hwsrc=ASKER_MAC, psrc=sender, pdst=target)


def solicitation(target: str, sender: str = ASKER6, to: str = GROUP, hops: int = 255) -> Packet:
    group = "ff02::1:ff00:222" if to == GROUP else target
    head = Ether(src=ASKER_MAC, dst=to) / IPv6(src=sender, dst=group, hlim=hops)
    return head / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=ASKER_MAC)


def test_arp_for_a_local_address_is_answered(rig: Rig) -> None:
    run = rig.run(Hook.TC, bytes(raw(arp(LOCAL))), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_NEIGHBOUR": 1})
    answer = Ether(src=OURS, dst=ASKER_MAC) / ARP(op=2, hwsrc=OURS, psrc=LOCAL, hwdst=ASKER_MAC, pdst=ASKER)
    assert not difference(run.frame, bytes(raw(answer)))


@pytest.mark.parametrize("to", [GROUP, OURS], ids=["the group", "the director alone"])
def test_a_solicitation_for_a_local_address_is_answered(rig: Rig, to: str) -> None:
    run = rig.run(Hook.TC, bytes(raw(solicitation(LOCAL6, to=to))), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_NEIGHBOUR": 1})
    answer = Ether(src=OURS, dst=ASKER_MAC) / IPv6(src=LOCAL6, dst=ASKER6, hlim=255)
    answer /= ICMPv6ND_NA(tgt=LOCAL6, R=0, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=OURS)
    assert not difference(run.frame, bytes(raw(answer)))


SILENT = {
    "a virtual address": (arp(VIRTUAL), "back"),
    "an address of the host": (arp("10.2.0.1"), "back"),
    "nobody's address": (arp("10.2.0.223"), "back"),
    "a link that the address does not belong to": (arp(LOCAL, "10.1.0.2"), "front"),
    "a probe": (arp(LOCAL, "0.0.0.0"), "back"),
    "an answer": (arp(LOCAL, op=2), "back"),
    "a virtual address, IPv6": (solicitation(VIRTUAL6), "back"),
    "duplicate address detection": (solicitation(LOCAL6, "::"), "back"),
    "a hop limit of 254: from afar": (solicitation(LOCAL6, hops=254), "back"),
    "a link that it does not belong to, IPv6": (solicitation(LOCAL6, "fd01::2"), "front"),
}


@pytest.mark.parametrize(("question", "link"), SILENT.values(), ids=SILENT)
def test_what_is_not_answered_passes_untouched(rig: Rig, question: Packet, link: str) -> None:
    frame = bytes(raw(question))
    run = rig.run(Hook.TC, frame, link)
    assert run.action is Action.PASS
    assert run.frame == frame
    assert "ANSWER_NEIGHBOUR" not in run.verdicts


@pytest.mark.parametrize("target", [VIRTUAL, LOCAL])
@pytest.mark.parametrize("payload", [b"", b"odd", bytes(1400)], ids=len)
def test_echo_to_an_address_of_the_table_is_answered(rig: Rig, target: str, payload: bytes) -> None:
    asked = IP(src="10.1.0.2", dst=target, ttl=3, tos=8, id=77) / ICMP(type=8, id=1, seq=2) / Raw(payload)
    run = rig.run(Hook.TC, bytes(raw(Ether(src=mac(1, 2), dst=mac(1, 1)) / asked)))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_ECHO": 1})
    answer = IP(src=target, dst="10.1.0.2", ttl=64, tos=8, id=77) / ICMP(type=0, id=1, seq=2) / Raw(payload)
    assert not difference(run.frame, bytes(raw(Ether(src=mac(1, 1), dst=mac(1, 2)) / answer)))


@pytest.mark.parametrize("target", [VIRTUAL6, LOCAL6])
def test_echo_in_ipv6_is_answered(rig: Rig, target: str) -> None:
    asked = IPv6(src="fd01::2", dst=target, hlim=3) / ICMPv6EchoRequest(id=1, seq=2, data=b"hello")
    run = rig.run(Hook.TC, bytes(raw(Ether(src=mac(1, 2), dst=mac(1, 1)) / asked)))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_ECHO": 1})
    answer = IPv6(src=target, dst="fd01::2", hlim=64) / ICMPv6EchoReply(id=1, seq=2, data=b"hello")
    assert not difference(run.frame, bytes(raw(Ether(src=mac(1, 1), dst=mac(1, 2)) / answer)))


@pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
def test_echo_in_fragments_is_answered_in_fragments(rig: Rig, is_ipv6: bool) -> None:
    """Each by itself, once the first has told that it is an echo request."""
    ident, data = rig.port(), bytes(place % 251 for place in range(3001))
    if is_ipv6:
        asked = IPv6(src="fd01::2", dst=VIRTUAL6, hlim=3) / ICMPv6EchoRequest(id=1, seq=2, data=data)
        answer = IPv6(src=VIRTUAL6, dst="fd01::2", hlim=64) / ICMPv6EchoReply(id=1, seq=2, data=data)
    else:
        asked = IP(src="10.1.0.2", dst=VIRTUAL, ttl=3) / ICMP(type=8, id=1, seq=2) / Raw(data)
        answer = IP(src=VIRTUAL, dst="10.1.0.2", ttl=64) / ICMP(type=0, id=1, seq=2) / Raw(data)
    arrives = pieces(bytes(raw(Ether(src=mac(1, 2), dst=mac(1, 1)) / asked)), 1400, ident)
    leaves = pieces(bytes(raw(Ether(src=mac(1, 1), dst=mac(1, 2)) / answer)), 1400, ident)
    late = rig.run(Hook.TC, arrives[2])
    assert (late.action, late.verdicts, late.frame) == (Action.PASS, {"PASS_NOT_TRANSPORT": 1}, arrives[2])
    for number in (0, 2, 1):
        run = rig.run(Hook.TC, arrives[number])
        assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_ECHO": 1})
        assert not difference(run.frame, leaves[number])


def test_fragments_of_other_icmp_are_the_hosts(rig: Rig) -> None:
    """If those of an answer were answered, two directors would do so for ever."""
    for kind in (0, 13):
        asked = IP(src="10.1.0.2", dst=VIRTUAL) / ICMP(type=kind) / Raw(bytes(3000))
        for frame in pieces(bytes(raw(Ether(src=mac(1, 2), dst=mac(1, 1)) / asked)), 1400, rig.port()):
            run = rig.run(Hook.TC, frame)
            assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NOT_TRANSPORT": 1}, frame)


@pytest.mark.parametrize(
    "asked",
    [IP(src="10.1.0.2", dst="10.1.0.1") / ICMP(), IP(src="10.1.0.2", dst=VIRTUAL) / ICMP(type=13)],
    ids=["echo to the host", "another question"],
)
def test_other_icmp_is_the_hosts(rig: Rig, asked: Packet) -> None:
    frame = bytes(raw(Ether(src=mac(1, 2), dst=mac(1, 1)) / asked))
    run = rig.run(Hook.TC, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NOT_TRANSPORT": 1}, frame)
