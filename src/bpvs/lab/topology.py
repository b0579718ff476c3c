# SPDX-License-Identifier: GPL-2.0-or-later
"""The two networks that the demo and the tests use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bpvs.lab.host import Host
from bpvs.lab.network import Network


@dataclass(frozen=True, slots=True)
class Tutorial:
    """One LAN, 192.168.122.0/24: the director is also the client and its own address is the virtual one."""

    network: Network
    director: Host
    servers: tuple[Host, Host]
    vip: str = "192.168.122.53"
    addresses: tuple[str, str] = ("192.168.122.50", "192.168.122.51")

    def serve(self) -> None:
        """Starts both web servers on port 80; each answers with its own address."""
        _serve_all(self.servers, self.addresses, 80)


@dataclass(frozen=True, slots=True)
class Routed:
    """A client in one network, three servers in another, and the director as the router between them."""

    network: Network
    client: Host
    director: Host
    servers: tuple[Host, Host, Host]
    vip: str = "10.9.0.100"
    vip6: str = "fd09::100"
    addresses: tuple[str, str, str] = ("10.0.1.11", "10.0.1.12", "10.0.1.13")
    addresses6: tuple[str, str, str] = ("fd01::11", "fd01::12", "fd01::13")

    def serve(self, port: int = 8080) -> None:
        """Starts the three web servers; they answer `one`, `two` and `three`."""
        _serve_all(self.servers, ("one", "two", "three"), port)


@contextmanager
def tutorial(keep: bool = False) -> Iterator[Tutorial]:
    """The tutorial's network: director .53, servers .50 and .51."""
    with Network(keep) as network:
        lan = network.switch("lan")
        director = network.host("director")
        network.plug(director, "eth0", lan, "192.168.122.53/24")
        first, second = network.host("web50"), network.host("web51")
        network.plug(first, "eth0", lan, "192.168.122.50/24")
        network.plug(second, "eth0", lan, "192.168.122.51/24")
        yield Tutorial(network, director, (first, second))


@contextmanager
def routed(keep: bool = False) -> Iterator[Routed]:
    """Client 10.9.0.2, fd09::2 - director with the virtual addresses - servers 10.0.1.11 to 13, fd01::11 to 13."""
    with Network(keep) as network:
        outside, inside = network.switch("outside"), network.switch("inside")
        client, director = network.host("client"), network.host("director")
        network.plug(client, "eth0", outside, "10.9.0.2/24", "fd09::2/64")
        network.plug(director, "ext", outside, "10.9.0.1/24", "fd09::1/64", "10.9.0.100/32", "fd09::100/128")
        network.plug(director, "int", inside, "10.0.1.1/24", "fd01::1/64")
        network.configure(client, "route add default via 10.9.0.1", "route add ::/0 via fd09::1")
        director.set_sysctl("net.ipv4.ip_forward", 1)
        director.set_sysctl("net.ipv6.conf.all.forwarding", 1)
        one, two, three = (_inner_server(network, inside, number) for number in (1, 2, 3))
        yield Routed(network, client, director, (one, two, three))


def _inner_server(network: Network, switch: str, number: int) -> Host:
    host = network.host(f"server{number}")
    network.plug(host, "eth0", switch, f"10.0.1.1{number}/24", f"fd01::1{number}/64")
    network.configure(host, "route add default via 10.0.1.1", "route add ::/0 via fd01::1")
    return host


def _serve_all(hosts: tuple[Host, ...], answers: tuple[str, ...], port: int) -> None:
    starting = [(host, host.begin_serving(answer, port)) for host, answer in zip(hosts, answers, strict=True)]
    for host, process in starting:
        host.await_ready(process, f"web server on port {port} of {host.name}")
