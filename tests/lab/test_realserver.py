# SPDX-License-Identifier: GPL-2.0-or-later
"""A real server's agent on real stacks: who learns of the VIPs, what comes out of the tunnels."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6, in6_getnsma
from scapy.layers.l2 import ARP, GRE, Dot1Q
from scapy.packet import Packet, Raw
from scapy.utils6 import in6_getnsmac

from bpvs.lab.network import SWITCHES
from bpvs.lab.offload import set_transmit_checksum
from bpvs.lab.shell import Result
from bpvs.lab.wait import until
from bpvs.net import ethtool
from bpvs.net.links import links
from tests.lab.realserver_net import CLIENT, CLIENT6, PEER, PEER6, SERVER, SERVER6, VIP, VIP6, Lan, Wire, lan

pytestmark = pytest.mark.root

BROADCAST = "ff:ff:ff:ff:ff:ff"
SECONDS = 5.0  # for an answer that comes


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as made:
        yield made


@pytest.fixture
def ready(net: Lan) -> Lan:
    net.agent("up", "--vip", VIP, "--vip", VIP6, "--dev", "eth0").checked()
    return net


def arp_answers(wire: Wire, tag: Packet | None = None) -> list[str]:
    """Who answers when the VIP and then the server itself are asked for."""
    for address in (VIP, SERVER):
        question = ARP(op=1, hwsrc=wire.own, psrc=PEER, pdst=address)
        wire.send(tag / question if tag else question, BROADCAST)
    found = []
    for frame in wire.frames(SECONDS):
        if ARP in frame and frame[ARP].op == 2:
            found.append(str(frame[ARP].psrc))
            if frame[ARP].psrc == SERVER:
                break
    return found


def test_arp_for_a_vip_is_answered_without_the_agent_and_not_with_it(net: Lan) -> None:
    net.network.configure(net.server, f"address add {VIP}/32 dev lo")
    with net.wire() as wire:
        assert arp_answers(wire) == [VIP, SERVER]
        net.agent("up", "--vip", VIP, "--dev", "eth0").checked()
        assert arp_answers(wire) == [SERVER]
    assert net.counted() == {"dropped_arp": 1}


def test_a_tag_of_priority_alone_makes_no_difference(ready: Lan) -> None:
    """VLAN 0 is no VLAN: the kernel takes such frames for untagged ones, and so must we. Some networks tag them all."""
    tag = Dot1Q(vlan=0, prio=3)
    ready.echo()
    with ready.wire() as wire:
        assert arp_answers(wire, tag) == [SERVER]
        for outer in FAMILIES:
            for inner in FAMILIES:
                content = f"{inner} in {outer}".encode()
                wire.send(tag / tunnelled("gue", outer, inner, content))
                answers = first(wire, lambda frame: UDP in frame and frame[UDP].sport == 7)
                assert [bytes(frame[UDP].payload)[: len(content)] for frame in answers] == [content]
    assert ready.counted() == {"dropped_arp": 1, "ended_gue": 4}


def test_linux_does_not_answer_neighbour_solicitations_for_an_address_of_lo(ready: Lan) -> None:
    with ready.wire() as wire:
        for address in (VIP6, SERVER6):
            group = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
            question = IPv6(src=PEER6, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255) / ICMPv6ND_NS(
                tgt=address
            )
            wire.send(question / ICMPv6NDOptSrcLLAddr(lladdr=wire.own), in6_getnsmac(group))
        answered = []
        for frame in wire.frames(SECONDS):
            if ICMPv6ND_NA in frame:
                answered.append(frame[ICMPv6ND_NA].tgt)
                if frame[ICMPv6ND_NA].tgt == SERVER6:
                    break
    assert answered == [SERVER6]


@pytest.mark.parametrize("vip", ["10.1.0.80", VIP], ids=["in the LAN's network", "elsewhere"])
def test_the_server_asks_for_its_neighbours_under_its_own_name(net: Lan, vip: str) -> None:
    """A reply from the VIP makes the kernel ask for the client's station; the peer's table must not learn from it."""
    net.agent("up", "--vip", vip, "--dev", "eth0").checked()
    senders = asked_by(net, vip)
    assert senders
    assert vip not in senders


def asked_by(net: Lan, vip: str) -> set[str]:
    net.network.configure(net.server, "neighbour flush all")
    with net.wire() as wire:
        wire.send(IP(src=PEER, dst=vip) / ICMP())
        return {str(frame[ARP].psrc) for frame in first(wire, lambda frame: ARP in frame and frame[ARP].op == 1)}


def first(wire: Wire, is_wanted: Callable[[Packet], bool]) -> list[Packet]:
    """The first frame of the server's that is wanted, if one comes."""
    for frame in wire.frames(SECONDS):
        if is_wanted(frame):
            return [frame]
    return []


def test_without_arp_announce_it_would_ask_in_the_name_of_the_vip(net: Lan) -> None:
    """What the setting is for: this fails once a kernel no longer needs it."""
    net.agent("up", "--vip", VIP, "--dev", "eth0").checked()
    net.server.set_sysctl("net.ipv4.conf.eth0.arp_announce", 0)
    assert asked_by(net, VIP) == {VIP}
    assert any("arp_announce" in warning for warning in net.status()["warnings"])


FAMILIES = ("ipv4", "ipv6")
PROTOCOL = {"ipv4": 4, "ipv6": 41}


def tunnelled(kind: str, outer: str, inner: str, content: bytes) -> Packet:
    """A datagram of the client for the echo service of the VIP, in a tunnel from the peer to the server."""
    head = IP(src=CLIENT, dst=VIP) if inner == "ipv4" else IPv6(src=CLIENT6, dst=VIP6)
    packet = head / UDP(sport=40000, dport=7) / Raw(content)
    number = PROTOCOL[inner]
    protocol, shell = {
        "ipip": (number, None),
        "gue": (17, UDP(sport=33000, dport=6080) / Raw(struct.pack("!BBH", 0, number, 0))),
        "gre": (47, GRE(proto=0x0800 if inner == "ipv4" else 0x86DD, chksum_present=1)),
    }[kind]
    front = IP(src=PEER, dst=SERVER, proto=protocol) if outer == "ipv4" else IPv6(src=PEER6, dst=SERVER6, nh=protocol)
    return front / packet if shell is None else front / shell / packet


@pytest.mark.parametrize("kind", ["ipip", "gue", "gre"])
def test_a_service_answers_what_came_through_a_tunnel(ready: Lan, kind: str) -> None:
    ready.echo()
    sent = 0
    with ready.wire() as wire:
        for outer in FAMILIES:
            for inner in FAMILIES:
                for content in (b"", b"short", bytes(range(256)) * 5):
                    wire.send(tunnelled(kind, outer, inner, content))
                    sent += 1
                    source = VIP if inner == "ipv4" else VIP6
                    answers = first(wire, lambda frame: UDP in frame and frame[UDP].sport == 7)
                    assert [bytes(frame[UDP].payload)[: len(content)] for frame in answers] == [content], (outer, inner)
                    assert answers[0][IP if inner == "ipv4" else IPv6].src == source
    assert ready.counted()[f"ended_{kind}"] == sent


@pytest.mark.parametrize("feature", ["rx-udp-gro-forwarding", "rx-gro-list"])
def test_datagrams_merged_behind_one_header_are_dropped_and_the_feature_warned_of(ready: Lan, feature: str) -> None:
    """IP in IP comes through all the same: there the kernel merges the inner datagrams."""
    ready.echo()
    ready.server.run("sh", "-c", "echo 100000000 > /sys/class/net/eth0/gro_flush_timeout").checked()  # in ns
    with ready.network.hosts[SWITCHES].inside():
        for link in links():
            if link.kind == "veth":
                set_transmit_checksum(link.name, enabled=False)  # or what comes is not thought worth merging
    with ready.server.inside():
        ethtool.switch("eth0", {"rx-gro", feature}.__contains__, on=True)
    with ready.wire() as wire:
        sent = {content: tunnelled("ipip", "ipv6", "ipv6", content) for content in (b"one", b"two", b"six")}
        for packet in sent.values():
            wire.send(packet)
        heard: set[bytes] = set()
        for frame in wire.frames(SECONDS):
            if UDP in frame and frame[UDP].sport == 7:
                heard.add(bytes(frame[UDP].payload)[:3])
            if heard == set(sent):
                break
        assert heard == set(sent)
        assert ready.counted()["ended_ipip"] < len(sent)
        for content in sent:
            wire.send(tunnelled("gue", "ipv6", "ipv6", content))
    until(lambda: ready.counted().get("dropped_refused"), "the merged packet should be dropped")
    assert ready.counted().get("ended_gue", 0) < len(sent)
    assert [text for text in ready.status()["warnings"] if text.startswith(f"{feature} is on at eth0")]


def test_a_strict_path_filter_is_warned_of(ready: Lan) -> None:
    assert ready.status()["warnings"] == []
    ready.server.set_sysctl("net.ipv4.conf.all.rp_filter", 1)
    assert [text for text in ready.status()["warnings"] if "rp_filter is strict on eth0" in text]


def test_the_kernel_gets_what_is_not_for_a_vip(ready: Lan) -> None:
    """Protocol 4 without a tunnel of the kernel's own: it answers, as without the agent."""
    with ready.wire() as wire:
        wire.send(IP(src=PEER, dst=SERVER) / IP(src=CLIENT, dst="192.0.2.99") / UDP(dport=7))
        answers = first(wire, lambda frame: ICMP in frame)
    assert [(frame[ICMP].type, frame[ICMP].code) for frame in answers] == [(3, 2)]  # protocol unreachable
    until(lambda: ready.counted() == {"left_no_vip": 1}, "the packet should be counted")


def test_it_lives_beside_a_director(ready: Lan) -> None:
    """Both hang on one qdisc; each takes away its own only."""
    ready.server.ipvsadm("-A", "-t", "10.1.0.2:80", "-s", "rr").checked()
    assert filters(ready) == {"director_tc", "realserver_in"}
    ready.agent("down").checked()
    assert filters(ready) == {"director_tc"}
    ready.agent("up", "--vip", VIP, "--dev", "eth0").checked()
    ready.server.bpvs("down").checked()
    assert filters(ready) == {"realserver_in"}


def filters(net: Lan) -> set[str]:
    shown: Result = net.server.run("tc", "filter", "show", "dev", "eth0", "ingress").checked()
    return {name for name in ("director_tc", "realserver_in") if name in shown.out}
