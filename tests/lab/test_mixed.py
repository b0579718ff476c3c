# SPDX-License-Identifier: GPL-2.0-or-later
"""Several ways of forwarding in one service, changes of the way, and directors with other interfaces than one."""

from __future__ import annotations

import hashlib
import socket
from collections import Counter

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import hold_silently
from bpvs.lab.webserver import checksum
from tests.lab.balancing import ANSWERS, Balanced, balanced, text

pytestmark = pytest.mark.root

families = pytest.mark.parametrize("family", ["ipv4", "ipv6"])
SIZE = 24 << 20  # more than fits the buffers between server and client


def methods(site: Balanced) -> list[str]:
    """The Forward column, in the order of the listing."""
    table = listing.table(site.net.director.ipvsadm("-L", "-n").checked().out)
    return [row.method for row in table[f"TCP {text(site.vip)}:80"].servers.values()]


def add_locals(site: Balanced, *addresses: str) -> None:
    for address in addresses:
        site.net.director.ipvsadm("-P", *site.service(), "-z", address).checked()


@families
@pytest.mark.parametrize(("kind", "option", "listed"), [("dr", "-g", "Route"), ("tun", "-i", "Tunnel")])
def test_servers_of_one_service_are_reached_in_different_ways(kind: str, option: str, listed: str, family: str) -> None:
    with balanced(kind, family) as site:
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        add_locals(site, *site.locals)
        for server, words in zip(site.servers, (option, "-b", option), strict=True):
            site.server("-a", server, words)
        assert methods(site) == [listed, "FullNat", listed]
        assert site.ask(6) == ["three", "two", "one"] * 2
        seen = [line.split()[0] for line in site.ask(3, "client")]
        assert seen[0] == seen[2] == site.client
        assert seen[1] in site.locals


@families
def test_a_transfer_goes_on_while_its_server_is_edited_from_one_way_to_another(family: str) -> None:
    """Each connection keeps the way that it began with: here NAT, while new ones go by FullNAT, then by DR."""
    with balanced("nat", family) as site:
        local = "fd01::201" if site.is_ipv6 else "10.0.1.201"
        site.net.network.configure(site.net.director, f"address add {local}/{128 if site.is_ipv6 else 32} dev int")
        hold_silently(site.net.network, site.net.servers[0], f"{site.vip}/{128 if site.is_ipv6 else 32}")
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        add_locals(site, local)
        site.server("-a", site.servers[0], "-m")
        with site.net.client.inside(), socket.create_connection((site.vip, 80), 10) as sock:
            sock.sendall(f"GET /size/{SIZE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
            body = sock.makefile("rb")
            while body.readline() != b"\r\n":
                pass
            digest = hashlib.sha256(body.read(SIZE // 8))
            for option, listed, seen in (("-b", "FullNat", local), ("-g", "Route", site.client)):
                site.server("-e", site.servers[0], option)
                assert methods(site) == [listed]
                assert site.ask(2, "client")[1].split()[0] == seen
                digest.update(body.read(SIZE // 8))
            digest.update(body.read())
            body.close()
        assert digest.hexdigest() == checksum(SIZE)


@families
def test_a_server_on_the_director_itself_takes_its_turn(family: str) -> None:
    with balanced("dr", family) as site:
        site.add()
        site.net.director.serve("the director", 80)
        site.server("-a", site.vip, "-g")
        assert methods(site) == ["Route", "Route", "Route", "Local"]
        assert Counter(site.ask(8)) == dict.fromkeys((*ANSWERS, "the director"), 2)


@families
def test_a_bridge_brings_the_packets(family: str) -> None:
    with balanced("dr", family) as site:
        director = site.net.director
        held = [f"{a}/24" if a == "10.0.1.2" else f"{a}/32" for a in ("10.0.1.2", site.net.vip)]
        held6 = [f"{a}/64" if a == "fd01::2" else f"{a}/128" for a in ("fd01::2", site.net.vip6)]
        site.net.network.configure(
            director,
            "link add br0 type bridge forward_delay 0 mcast_snooping 0",
            "address flush dev eth0",
            "link set eth0 master br0",
            "link set br0 up",
            *(f"address add {address} dev br0" for address in held),
            *(f"address add {address} dev br0 nodad" for address in held6),
            "route replace default via 10.0.1.1 dev br0",
            "route replace ::/0 via fd01::1 dev br0",
        )
        site.add()
        assert "br0" in director.bpvs("status").checked().out
        assert site.ask(6) == ["three", "two", "one"] * 2


@families
def test_servers_behind_different_interfaces_one_of_them_a_bridge(family: str) -> None:
    """The third server has a second interface, on a LAN with the director's bridge alone."""
    with balanced("dr", family) as site:
        net = site.net
        second = net.network.switch("second")
        net.network.plug(net.director, "eth1", second)
        net.network.plug(net.servers[2], "eth1", second, "10.0.3.13/24", "fd03::13/64")
        net.servers[2].set_sysctl("net.ipv4.conf.eth1.arp_ignore", 1)
        net.network.configure(
            net.director,
            "link add br1 type bridge forward_delay 0 mcast_snooping 0",
            "link set eth1 master br1",
            "link set br1 up",
            "address add 10.0.3.2/24 dev br1",
            "address add fd03::2/64 dev br1 nodad",
        )
        net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        for server in (*site.servers[:2], "fd03::13" if site.is_ipv6 else "10.0.3.13"):
            site.server("-a", server, "-g")
        assert site.ask(6) == ["three", "two", "one"] * 2
