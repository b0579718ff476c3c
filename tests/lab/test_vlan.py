# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and servers in VLANs: the director balances at the VLANs' own interfaces, priority tags count as none."""

from __future__ import annotations

import json
import socket

import pytest
from scapy.compat import raw
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from bpvs.net import ethtool
from bpvs.net.links import links
from tests.lab.balancing import KINDS, Balanced, datagram_socket, use_xdp

pytestmark = pytest.mark.root

SIZE = 1 << 20
PRIORITY = 5
STACKED = 20


@pytest.fixture
def _vlans() -> None:
    """Debian's kernel has them as a module, which is loaded on demand."""
    with Network() as network:
        host = network.host("trial")
        host.run("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1").checked()
        if host.run("ip", "link", "add", "link", "t0", "name", "t0.10", "type", "vlan", "id", "10").code:
            pytest.skip("this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)")


def below(interface: str, tag: int) -> str:
    """What the interface of a VLAN stands on: VLAN 20 has a provider's tag outside its own (802.1ad)."""
    return "outer" if tag == STACKED else interface


def outer_tag(interface: str, tag: int) -> tuple[str, ...]:
    if tag != STACKED:
        return ()
    return f"link add link {interface} name outer type vlan proto 802.1ad id 7", "link set outer up"


@pytest.mark.usefixtures("_vlans")
def test_clients_and_servers_in_vlans_of_one_trunk() -> None:
    with Network() as network:
        trunk = network.switch("trunk")
        hosts = {name: network.host(name) for name in ("client", "director", "server")}
        for host in hosts.values():
            network.plug(host, "eth0", trunk)
        vlans = {"client": [(10, 2)], "director": [(10, 1), (20, 1)], "server": [(20, 11)]}
        for name, tags in vlans.items():
            for tag, number in tags:
                network.configure(
                    hosts[name],
                    *outer_tag("eth0", tag),
                    f"link add link {below('eth0', tag)} name eth0.{tag} type vlan id {tag}",
                    f"link set eth0.{tag} up",
                    f"address add 10.0.{tag}.{number}/24 dev eth0.{tag}",
                )
        network.configure(hosts["director"], "address add 10.0.10.100/32 dev eth0.10")
        network.configure(hosts["server"], "route add default via 10.0.20.1")
        director = hosts["director"]
        director.set_sysctl("net.ipv4.ip_forward", 1)
        hosts["server"].serve("tagged")
        director.ipvsadm("-A", "-t", "10.0.10.100:80", "-s", "rr").checked()
        director.ipvsadm("-a", "-t", "10.0.10.100:80", "-r", "10.0.20.11:80", "-m").checked()
        assert hosts["client"].curl("http://10.0.10.100/").checked().out == "tagged\n"
        body = hosts["client"].curl("-o", "/dev/null", "-w", "%{size_download}", f"http://10.0.10.100/size/{SIZE}")
        assert body.checked().out == str(SIZE)


def carriers(director: Host) -> list[str]:
    """The interfaces with XDP."""
    with director.inside():
        return [link.name for link in links() if link.xdp_program]


@pytest.mark.usefixtures("_vlans")
def test_xdp_stays_away_from_tags_that_it_cannot_see(bare: Routed) -> None:
    """As veth says, "hardware" takes them off: a cookie for a client in a VLAN would leave without its tag."""
    director = bare.director
    director.bpvs("up", "--mode", "xdp").checked()
    assert carriers(director) == ["ext", "int"]
    bare.network.configure(director, "link add link ext name ext.10 type vlan id 10", "link set ext.10 up")
    director.ipvsadm("-A", "-t", "10.9.0.100:80").checked()
    assert carriers(director) == ["int"]
    up = ("up", "--mode", "xdp", "--dev", "ext")
    refused = director.bpvs(*up)
    assert refused.code == 1
    assert refused.err == (
        "bpvs up: interface ext: XDP does not see its VLANs' tags, which the hardware takes off; "
        "`ethtool -K ext rxvlan off` leaves them in place\n"
    )
    with director.inside():
        ethtool.switch("ext", "rx-vlan-hw-parse".__eq__, on=False)
    director.bpvs(*up).checked()
    assert carriers(director) == ["ext"]


def station(host: Host, interface: str) -> str:
    """The MAC address of a host's interface."""
    with host.inside():
        (found,) = (link.mac for link in links() if link.name == interface)
    return found.hex(":")


def question(site: Balanced, tags: Packet) -> bytes:
    """A datagram of the client's to the director, behind those tags."""
    ip = (IPv6 if site.is_ipv6 else IP)(src=site.client, dst=site.vip)
    ends = Ether(src=station(site.net.client, "eth0"), dst=station(site.net.director, "ext"))
    return bytes(raw(ends / tags / ip / UDP(sport=5000, dport=80) / b"question"))


@pytest.mark.parametrize(("hook", "is_ipv6"), [("tc", False), ("xdp", True)], ids=["tc, IPv4", "xdp, IPv6"])
def test_a_priority_tag_counts_as_none(hook: str, is_ipv6: bool) -> None:
    """VLAN 0 is no VLAN (IEEE 802.1Q, 6.9): the kernel takes such a frame in where it comes in. Others are not ours."""
    with KINDS["nat"].topology(False) as net:
        if hook == "xdp":
            use_xdp(net)
        site = Balanced(net, KINDS["nat"], is_ipv6)
        site.add("-u")
        with (
            datagram_socket(net.servers[2], site.family, (site.servers[2], 80)) as server,
            net.client.inside(),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire,
        ):
            wire.bind(("eth0", 0))
            for tag in (Dot1Q, Dot1AD):
                wire.send(question(site, tag(vlan=0, prio=PRIORITY)))
                assert server.recvfrom(100) == (b"question", server_sees(site))
            for tags in (Dot1Q(vlan=9), Dot1Q(vlan=0) / Dot1Q(vlan=9), Dot1Q(vlan=9) / Dot1Q(vlan=0)):
                leaves_to_the_stack(site, wire, question(site, tags))
        assert site.stats("UDP").in_packets == 2


def server_sees(site: Balanced) -> tuple[str | int, ...]:
    """The client's end as its socket tells it."""
    return (site.client, 5000, 0, 0) if site.is_ipv6 else (site.client, 5000)


def leaves_to_the_stack(site: Balanced, wire: socket.socket, frame: bytes) -> None:
    before = not_ip(site)
    wire.send(frame)
    until(lambda: not_ip(site) > before, "a tagged frame left to the stack")


def not_ip(site: Balanced) -> int:
    told = json.loads(site.net.director.bpvs("status", "--json").checked().out)["verdicts"]
    return int(told.get("PASS_NOT_IP", 0))
