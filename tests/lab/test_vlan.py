# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and servers in VLANs: the director balances at the VLANs' own interfaces."""

from __future__ import annotations

import pytest

from bpvs.lab.network import Network

pytestmark = pytest.mark.root

SIZE = 1 << 20


@pytest.fixture(autouse=True)
def _vlans() -> None:
    """Debian's kernel has them as a module, which is loaded on demand."""
    with Network() as network:
        host = network.host("trial")
        host.run("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1").checked()
        if host.run("ip", "link", "add", "link", "t0", "name", "t0.10", "type", "vlan", "id", "10").code:
            pytest.skip("this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)")


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
                    f"link add link eth0 name eth0.{tag} type vlan id {tag}",
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
