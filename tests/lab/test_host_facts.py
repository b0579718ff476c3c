# SPDX-License-Identifier: GPL-2.0-or-later
"""What net/ reads, against interfaces, addresses and settings made for the purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.model import Address
from bpvs.net import sysctl
from bpvs.net.address import is_local, is_server_address
from bpvs.net.driver import driver
from bpvs.net.links import Link, attachable, links

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """An Ethernet link, a bridge with a port, a stacked link, and addresses of every kind."""
    with Network() as network:
        made = network.host("one")
        lan = network.switch("lan")
        for name, address in (("eth0", "10.1.0.1/24"), ("port0", "10.2.0.1/24")):
            network.plug(made, name, lan, address)
        network.configure(
            made,
            "address add 10.1.0.2/24 dev eth0",
            "address add 2001:db8::1/64 dev eth0 nodad",
            "link add br0 type bridge",
            "link set port0 master br0",
            "link add link eth0 name eth0.5 type macvlan",
            "link set eth0 mtu 1400",
        )
        yield made


@pytest.fixture
def seen(host: Host) -> dict[str, Link]:
    with host.inside():
        return {link.name: link for link in links()}


def test_a_link_is_read_as_it_is(seen: dict[str, Link]) -> None:
    eth0 = seen["eth0"]
    assert (eth0.kind, eth0.mtu, eth0.master, len(eth0.mac)) == ("veth", 1400, 0, 6)
    assert eth0.is_up
    assert eth0.is_ethernet
    assert not eth0.is_loopback
    assert (eth0.xdp_mode, eth0.xdp_program) == ("", 0)
    assert seen["eth0.5"].lower == eth0.index
    assert not seen["br0"].is_up


def test_ports_name_their_master(seen: dict[str, Link]) -> None:
    assert seen["port0"].master == seen["br0"].index
    assert seen["port0"].is_port(seen.values())
    assert not seen["eth0"].is_port(seen.values())


def test_a_director_listens_where_packets_arrive_once(seen: dict[str, Link]) -> None:
    assert {link.name for link in attachable(seen.values())} >= {"lo", "eth0", "eth0.5", "br0"}
    assert "port0" not in {link.name for link in attachable(seen.values())}


def test_the_driver_is_that_of_this_namespaces_interface(host: Host) -> None:
    with host.inside():
        assert driver("eth0") == "veth"
        assert driver("br0") == "bridge"
        assert driver("nosuchdev") == ""


@pytest.mark.parametrize("text", ["10.1.0.1", "10.1.0.2", "127.0.0.1", "127.9.9.9", "::1", "2001:db8::1"])
def test_own_addresses_are_local(host: Host, text: str) -> None:
    with host.inside():
        assert is_local(Address.parse(text))
        assert is_server_address(Address.parse(text))


@pytest.mark.parametrize("text", ["10.1.0.9", "9.9.9.9", "2001:db8::2", "2001:db8:1::1"])
def test_other_hosts_are_servers_but_not_local_even_without_a_route(host: Host, text: str) -> None:
    with host.inside():
        assert not is_local(Address.parse(text))
        assert is_server_address(Address.parse(text))


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "255.255.255.255", "10.1.0.255", "224.0.0.1", "::", "ff02::1", "fe80::1234"]
)
def test_what_is_nobodys_unicast_address_is_no_server(host: Host, text: str) -> None:
    with host.inside():
        assert not is_local(Address.parse(text))
        assert not is_server_address(Address.parse(text))


def test_a_link_local_address_of_this_host_is_a_server(host: Host) -> None:
    with host.inside():
        own = next(link for link in links() if link.name == "eth0")
        packed = bytes([0xFE, 0x80, *bytes(6), own.mac[0] ^ 2, *own.mac[1:3], 0xFF, 0xFE, *own.mac[3:]])
        assert is_server_address(Address.parse(str(Address.from_mapped(Address.parse("::1").family, packed))))


def test_settings_are_those_of_the_namespace(host: Host) -> None:
    with host.inside():
        sysctl.write("net.ipv4.ip_forward", 1)
        assert sysctl.read("net.ipv4.ip_forward") == "1"
        assert sysctl.read("net.ipv4.conf.eth0/5.rp_filter") == "0"
        sysctl.write("net.ipv4.ip_forward", 0)
        assert not sysctl.exists("net.ipv4.conf.nosuchdev.rp_filter")
        with pytest.raises(OSError, match="Invalid argument"):
            sysctl.write("net.ipv4.conf.eth0.rp_filter", "many")
