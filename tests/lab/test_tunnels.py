# SPDX-License-Identifier: GPL-2.0-or-later
"""TUN with every encapsulation, the agent at its end, and what the client learns of the smaller MTU."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path

import pytest

from bpvs.lab import offload
from bpvs.lab.capture import Capture
from tests.lab.balancing import Balanced, balanced, datagram_socket, text

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
OUTER_HEADER = {"ipv4": 20, "ipv6": 40}
TUNNELS = {  # words for ipvsadm -a, bytes between the outer and the inner IP header
    "ipip": ((), 0),
    "gue": (("--tun-type", "gue", "--tun-port", "6080", "--tun-nocsum"), 12),
    "gue with checksum": (("--tun-type", "gue", "--tun-port", "6080", "--tun-csum"), 12),
    "gue with remote checksum": (("--tun-type", "gue", "--tun-port", "6080", "--tun-remcsum"), 12),
    "gre": (("--tun-type", "gre", "--tun-nocsum"), 4),
    "gre with checksum": (("--tun-type", "gre", "--tun-csum"), 8),
}
SIZE = 8 << 20
FAR_MTU = 1400
UDP_SEGMENT = 103  # linux/udp.h


def path_mtu(site: Balanced) -> int:
    """What the client believes to fit on its way to the virtual address."""
    words = site.net.client.run("ip", "route", "get", site.vip).checked().out.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 1500


def forget_path_mtu(site: Balanced) -> None:
    for version in ("-4", "-6"):
        site.net.client.run("ip", version, "route", "flush", "cache").checked()


@pytest.mark.parametrize(
    ("inner", "outer", "hook"),
    [("ipv4", "ipv4", "xdp"), ("ipv4", "ipv6", "tc"), ("ipv6", "ipv4", "xdp"), ("ipv6", "ipv6", "tc")],
)
def test_transfers_through_every_tunnel(inner: str, outer: str, hook: str, tmp_path: Path) -> None:
    """All links take 1500 bytes, so the client has to be told of less before an upload gets through."""
    with balanced("tun", inner, hook) as site:
        server = text((site.net.addresses6 if outer == "ipv6" else site.net.addresses)[0])
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        command = "-a"
        for name, (words, between) in TUNNELS.items():
            site.net.director.ipvsadm(command, *site.service(), "-r", f"{server}:80", "-i", *words).checked()
            command = "-e"
            forget_path_mtu(site)
            assert site.ask(1, "client")[0].split()[0] == site.client, name
            assert site.download(SIZE, tmp_path), name
            assert site.upload(SIZE, tmp_path), name
            assert path_mtu(site) == 1500 - OUTER_HEADER[outer] - between, name


def test_uploads_through_a_path_that_is_narrower_than_the_director_s_link(tmp_path: Path) -> None:
    """A router tells the director, which tells the client; nothing is cut on the way, which the agent cannot mend."""
    with balanced("tun", "ipv4") as four:
        net, six = four.net, replace(four, is_ipv6=True)
        for host, link in ((net.router, "far"), (net.servers[0], "eth0")):
            net.network.configure(host, f"link set {link} mtu {FAR_MTU}")
        for site in (four, six):
            net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        for site, (outer, servers) in product((four, six), (("ipv4", net.addresses), ("ipv6", net.addresses6))):
            for name in ("ipip", "gre with checksum"):
                words, between = TUNNELS[name]
                server = ("-r", f"{text(servers[0])}:80")
                net.director.ipvsadm("-a", *site.service(), *server, "-i", *words).checked()
                forget_path_mtu(site)
                assert site.upload(SIZE >> 3, tmp_path), name
                assert path_mtu(site) == FAR_MTU - OUTER_HEADER[outer] - between, name
                net.director.ipvsadm("-d", *site.service(), *server).checked()
        status = net.servers[0].bpvs("realserver", "status").checked().out
        assert "left untouched  nothing" in status


def test_datagrams_that_the_client_s_kernel_has_merged() -> None:
    """As those of QUIC are, between containers of one machine."""
    with balanced("tun", "ipv4") as site:
        site.net.director.ipvsadm("-A", *site.service("-u"), "-s", "rr").checked()
        command = "-a"
        with (
            datagram_socket(site.net.servers[0], site.family, (site.vip, 80)) as server,
            datagram_socket(site.net.client, site.family) as client,
        ):
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
            for name in ("ipip", "gue", "gre with checksum"):
                words, _between = TUNNELS[name]
                site.net.director.ipvsadm(
                    command, *site.service("-u"), "-r", f"{site.servers[0]}:80", "-i", *words
                ).checked()
                command = "-e"
                content = bytes(place % 251 for place in range(20_001))
                client.sendto(content, (site.vip, 80))
                parts = [server.recv(2000) for _ in range(len(content) // 1200 + 1)]
                assert b"".join(parts) == content, name


SOURCES = {"ipv4": "10.5.0.0/24", "ipv6": "fd05::/120"}


def outer_sources(site: Balanced, connections: int) -> set[str]:
    """Where the tunnels that end at the first server come from during so many connections."""
    with Capture({"server": site.net.servers[0]}) as capture:
        site.ask(connections)
        return {one.frame.packet.source for one in capture.sightings() if one.frame.packet.inner}


def test_each_flow_has_an_outer_source_of_its_own(tmp_path: Path) -> None:
    """Addresses that nobody has: errors of routers about them come to the director by a route."""
    with balanced("tun", "ipv4") as four:
        net, six = four.net, replace(four, is_ipv6=True)
        sources = [word for network in SOURCES.values() for word in ("--tunnel-sources", network)]
        net.director.bpvs("up", *sources).checked()
        net.network.configure(
            net.router,
            f"route add {SOURCES['ipv4']} via 10.0.1.2",
            f"route add {SOURCES['ipv6']} via fd01::2",
            f"link set far mtu {FAR_MTU}",
        )
        for site in (four, six):
            net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
            site.server("-a", site.servers[0], "-i")
            family = "ipv6" if site.is_ipv6 else "ipv4"
            found = outer_sources(site, 8)
            assert len(found) > 3
            assert all(ip_address(one) in ip_network(SOURCES[family]) for one in found)
            forget_path_mtu(site)
            assert site.upload(SIZE >> 3, tmp_path)
            assert path_mtu(site) == FAR_MTU - OUTER_HEADER[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_big_upload_flows_at_the_size_of_the_tunnel(family: str, tmp_path: Path) -> None:
    """8 MiB in frames as from a wire, so that each packet has to fit."""
    with balanced("tun", family) as site:
        offload.behave_as_hardware(site.net.network, "director")
        site.add()
        assert site.upload(8 << 20, tmp_path)
        assert path_mtu(site) == 1500 - OUTER_HEADER[family]
