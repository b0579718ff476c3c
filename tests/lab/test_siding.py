# SPDX-License-Identifier: GPL-2.0-or-later
"""The siding on a real kernel: what becomes of packets sent out of either end, and how commands keep it standing."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from bpvs.director import Director
from bpvs.kernel.instance import Instance
from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.topology import Routed
from bpvs.net import ethtool, siding
from bpvs.net.links import SIDING_MACS, Link, links

pytestmark = pytest.mark.root

SERVICE = ("-A", "-t", "10.9.0.100:80", "-s", "rr")
EXPERIMENT = 0x88B5  # IEEE 802: for local experiments
SOL_PACKET, PACKET_VNET_HDR = 263, 15
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
VNET_HDR = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CSUM, GSO_NONE, GSO_TCPV4, GSO_TCPV6 = 1, 0, 1, 4
ETH_BYTES = 14
HEAD = Ether(dst=SIDING_MACS[1], src=SIDING_MACS[0])


@pytest.fixture
def host() -> Iterator[Host]:
    with Network() as network:
        made = network.host("one")
        made.set_sysctl("net.ipv6.conf.all.forwarding", 1)
        yield made


@pytest.fixture
def built(host: Host) -> Iterator[Host]:
    """The calling thread is in a namespace with a siding and nothing else."""
    with host.inside():
        siding.build()
        yield host


@contextmanager
def port(interface: str, protocol: int) -> Iterator[socket.socket]:
    """A packet socket with the header that tells of unfinished checksums and merged packets."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as made:
        made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            made.setsockopt(socket.SOL_SOCKET, option, 1 << 26)
        made.settimeout(10)
        made.bind((interface, protocol))
        yield made


def plain(frame: bytes) -> bytes:
    return VNET_HDR.pack(0, GSO_NONE, 0, 0, 0, 0) + frame


def seed(ip: Packet, protocol: int, length: int) -> int:
    """The sum over the pseudo header, which stands where the checksum belongs until that is computed."""
    family = socket.AF_INET6 if isinstance(ip, IPv6) else socket.AF_INET
    data = b"".join(socket.inet_pton(family, one) for one in (ip.src, ip.dst)) + struct.pack("!II", length, protocol)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def unfinished(ip: Packet, transport: Packet, payload: bytes, gso: tuple[int, int]) -> bytes:
    """A frame as a local stack leaves it, with its struct virtio_net_hdr; `gso`: type and bytes of each part."""
    is_tcp = isinstance(transport, TCP)
    transport.chksum = seed(ip, 6 if is_tcp else 17, len(transport) + len(payload))
    if not is_tcp:
        transport.len = len(transport) + len(payload)
    begin = ETH_BYTES + len(ip)
    head = VNET_HDR.pack(NEEDS_CSUM, gso[0], begin + len(transport), gso[1], begin, 16 if is_tcp else 6)
    return head + bytes(HEAD / ip / transport / payload)


def finished(frame: bytes) -> bool:
    """Whether the checksums are those that scapy computes, and nothing is left to be done."""
    packet = Ether(frame[VNET_HDR.size :])
    again = packet.copy()
    for layer in (IP, TCP, UDP):
        if layer in again:
            del again[layer].chksum
    flags, gso_type, *_rest = VNET_HDR.unpack_from(frame)
    return bytes(again) == bytes(packet) and not flags & NEEDS_CSUM and gso_type == GSO_NONE


IPV4, IPV6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fd00::1", dst="fd00::2")


@pytest.mark.parametrize(
    ("ip", "transport", "length", "gso", "parts"),
    [
        (IPV4, UDP(sport=1, dport=2), 1001, (GSO_NONE, 0), 1),
        (IPV6, UDP(sport=1, dport=2), 1001, (GSO_NONE, 0), 1),
        (IPV4, TCP(sport=1, dport=2, flags="PA"), 333, (GSO_NONE, 0), 1),
        (IPV4, TCP(sport=1, dport=2, flags="PA"), 60000, (GSO_TCPV4, 1460), 42),
        (IPV6, TCP(sport=1, dport=2, flags="PA"), 60000, (GSO_TCPV6, 1440), 42),
    ],
    ids=["UDP", "UDP, IPv6", "TCP", "merged TCP", "merged TCP, IPv6"],
)
def test_out_of_the_first_end_packets_come_back_finished_and_in_parts(
    built: Host, ip: Packet, transport: Packet, length: int, gso: tuple[int, int], parts: int
) -> None:
    protocol = 0x86DD if IPv6 in ip else 0x0800
    payload = bytes(number % 251 for number in range(length))
    with port(siding.DONE, 0) as out, port(siding.WAIT, protocol) as back:
        out.send(unfinished(ip.copy(), transport.copy(), payload, gso))
        frames = [back.recv(70000) for _ in range(parts)]
    assert all(map(finished, frames))
    assert b"".join(bytes(Ether(one[VNET_HDR.size :])[type(transport)].payload) for one in frames) == payload


@pytest.mark.parametrize("size", [60, 1514, 9014, 65535])
def test_out_of_the_second_end_one_packet_comes_back_a_millisecond_whatever_its_size(built: Host, size: int) -> None:
    count = 15  # of the longest the queue holds no more
    frame = SIDING_MACS[0] + SIDING_MACS[1] + struct.pack("!H", EXPERIMENT)
    frame += bytes(size - len(frame))
    with port(siding.WAIT, 0) as out, port(siding.DONE, EXPERIMENT) as back:
        begin = time.monotonic()
        for _ in range(count):
            out.send(plain(frame))
        assert all(back.recv(70000)[VNET_HDR.size :] == frame for _ in range(count))
        took = time.monotonic() - begin
    assert took > (count - 1) * 0.001 * 0.9
    assert took < 2


def test_the_pair_has_no_address_no_route_and_no_group_but_that_of_all_nodes(built: Host) -> None:
    """Also where IPv6 is forwarded, which makes other interfaces join the group of all routers."""
    assert "bpvs-" not in built.run("ip", "-6", "route", "show", "table", "all").checked().out
    for end in (siding.DONE, siding.WAIT):
        (state,) = json.loads(built.run("ip", "-j", "address", "show", "dev", end).checked().out)
        assert state["addr_info"] == []
        assert state["operstate"] == "UP"
        assert {"NOARP", "UP"} <= set(state["flags"])
        assert "MULTICAST" not in state["flags"]
        (groups,) = json.loads(built.run("ip", "-j", "maddress", "show", "dev", end).checked().out)
        assert {one["address"] for one in groups["maddr"] if "family" in one} == {"224.0.0.1", "ff02::1", "ff01::1"}


def test_nothing_is_left_to_the_driver_of_the_first_end(built: Host) -> None:
    on = {name for name, is_on in ethtool.features(siding.DONE).items() if is_on and name.startswith("tx-")}
    assert not {name for name in on if "checksum" in name or "segmentation" in name or "gso" in name}
    assert "tx-tcp-segmentation" in ethtool.features(siding.WAIT)


def test_built_again_it_is_the_same(built: Host) -> None:
    first = siding.find(links())
    assert first is not None
    assert first.has_queue
    assert siding.build() == first == siding.find(links())
    siding.remove()
    siding.remove()
    assert [link.name for link in links()] == ["lo"]


def told(host: Host) -> tuple[int, int]:
    """What the data path knows."""
    with host.inside():
        instance = Director().instance()
        assert isinstance(instance, Instance)
        return instance.settings.load(0, "siding_done"), instance.settings.load(0, "siding_wait")


def ends(host: Host) -> dict[str, Link]:
    with host.inside():
        return {link.name: link for link in links() if link.is_siding}


def assert_stands(host: Host) -> None:
    with host.inside():
        found = siding.find(links())
    assert found is not None
    assert found.has_queue
    assert told(host) == (found.done, found.wait)
    for end in (siding.DONE, siding.WAIT):
        assert "director_tc" in host.run("tc", "filter", "show", "dev", end, "ingress").checked().out
    assert all(link.xdp_program == 0 for link in ends(host).values())
    assert doctor(host) == ("green", "bpvs-a and bpvs-b stand")


def doctor(host: Host) -> tuple[str, str]:
    findings = json.loads(host.bpvs("doctor", "--json").out)["findings"]
    (found,) = [one for one in findings if one["subject"] == "siding"]
    return found["level"], found["text"]


@pytest.mark.parametrize("command", [["ipvsadm", *SERVICE], ["bpvs", "up"], ["bpvs", "up", "--dev", "lo"]])
def test_what_loads_builds_it_and_down_removes_it(host: Host, command: list[str]) -> None:
    assert doctor(host)[0] == "green"
    assert ends(host) == {}
    tool, *arguments = command
    (host.ipvsadm if tool == "ipvsadm" else host.bpvs)(*arguments).checked()
    assert_stands(host)
    assert "bpvs-" not in host.bpvs("status").checked().out.split("\n")[1]
    host.bpvs("down").checked()
    assert ends(host) == {}


@pytest.mark.parametrize(
    ("arguments", "damage"),
    [
        ([], "ip link delete bpvs-a"),
        ([], "ip link set bpvs-a down"),
        ([], "ip link set bpvs-b down name other"),
        ([], "tc qdisc delete dev bpvs-b root"),
        (["--dev", "lo"], "ip link set bpvs-b down"),
    ],
)
def test_the_next_change_mends_it(host: Host, arguments: list[str], damage: str) -> None:
    host.bpvs("up", *arguments).checked()
    host.run(*damage.split()).checked()
    assert doctor(host) == ("yellow", "bpvs-a and bpvs-b are gone or not as they were built")
    host.ipvsadm(*SERVICE).checked()
    assert_stands(host)
    assert len(ends(host)) == 2


def test_what_a_killed_command_left_is_used(host: Host) -> None:
    with host.inside():
        left = siding.build()
    host.ipvsadm(*SERVICE).checked()
    assert_stands(host)
    assert told(host) == (left.done, left.wait)


def test_an_interface_of_that_name_that_is_not_ours_is_left_alone(host: Host) -> None:
    host.run("ip", "link", "add", siding.WAIT, "type", "bridge").checked()
    host.bpvs("up").checked()
    assert told(host) == (0, 0)
    assert ends(host) == {}
    level, text = doctor(host)
    assert level == "yellow"
    assert text.startswith("there is an interface bpvs-b that is not of BPVS")
    assert "bpvs-b (tc)" in host.bpvs("status").checked().out
    host.run("ip", "link", "delete", siding.WAIT).checked()
    host.ipvsadm(*SERVICE).checked()
    assert_stands(host)


def test_nobody_attaches_to_it_by_name(host: Host) -> None:
    host.bpvs("up").checked()
    refused = host.bpvs("up", "--dev", siding.DONE)
    assert refused.code == 1
    assert refused.err == "bpvs up: interface 'bpvs-a' cannot be attached to: BPVS's own siding; there are lo\n"
    assert_stands(host)


def test_a_fragment_that_overtook_the_first_one_waits_for_it_and_arrives(bare: Routed) -> None:
    """It comes back to the interface that had brought it."""
    bare.director.ipvsadm("-A", "-u", f"{bare.vip}:9", "-s", "rr").checked()
    bare.director.ipvsadm("-a", "-u", f"{bare.vip}:9", "-r", "10.0.1.11:9", "-m").checked()
    payload = bytes(number % 251 for number in range(4000))
    parts = fragment(IP(src="10.9.0.2", dst=bare.vip, id=77) / UDP(sport=5000, dport=9) / payload, 1400)
    with bare.servers[0].inside():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with bare.client.inside():
        client = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with server, client:
        server.bind(("", 9))
        server.settimeout(5)
        for part in reversed(parts):
            client.sendto(bytes(part), (bare.vip, 0))
        assert server.recv(9000) == payload
