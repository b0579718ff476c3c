# SPDX-License-Identifier: GPL-2.0-or-later
"""The networks that the demo and the tests use, one for each way of forwarding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import LabError
from bpvs.lab.wait import PATIENCE


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
class Lan:
    """A switch with an IPv4 /24 and an IPv6 /64; machine n of it is 10.0.1.n and fd01::n."""

    switch: str
    ipv4: str
    ipv6: str

    def four(self, number: int) -> str:
        """The IPv4 address of a machine."""
        return f"{self.ipv4}.{number}"

    def six(self, number: int) -> str:
        """The IPv6 address of a machine; its last group reads like the decimal number."""
        return f"{self.ipv6}::{number}"

    def both(self, number: int) -> tuple[str, str]:
        """Both addresses with the network's prefix length."""
        return f"{self.four(number)}/24", f"{self.six(number)}/64"

    def alone(self, number: int) -> tuple[str, str]:
        """Both addresses as those of one host, for what a machine holds besides its own."""
        return f"{self.four(number)}/32", f"{self.six(number)}/128"

    def routes_here(self, via: tuple[str, str]) -> tuple[str, str]:
        """Lines for `ip` that lead to this network by a router."""
        return f"route add {self.four(0)}/24 via {via[0]}", f"route add {self.ipv6}::/64 via {via[1]}"


OUTSIDE = Lan("outside", "10.9.0", "fd09")
INSIDE = Lan("inside", "10.0.1", "fd01")
FAR = Lan("far", "10.0.2", "fd02")
_ROUTER = 1
_CLIENT = 2
_DIRECTOR = 2
_SERVERS = (11, 12, 13)
_VIP = 100
_LOCALS = (201, 202)
_AGENT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Routed:
    """A client in one network, three servers in another, and a router between them: the director, or one beside it.

    Where they lie is written at the functions that build them. `locals` are addresses of the director that FullNAT
    may use.
    """

    network: Network
    client: Host
    router: Host
    director: Host
    servers: tuple[Host, Host, Host]
    clients: Lan
    vips: Lan
    farm: Lan

    @property
    def vip(self) -> str:
        """The virtual IPv4 address."""
        return self.vips.four(_VIP)

    @property
    def vip6(self) -> str:
        """The virtual IPv6 address."""
        return self.vips.six(_VIP)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The servers' IPv4 addresses."""
        return tuple(self.farm.four(number) for number in _SERVERS)

    @property
    def addresses6(self) -> tuple[str, ...]:
        """The servers' IPv6 addresses."""
        return tuple(self.farm.six(number) for number in _SERVERS)

    @property
    def locals(self) -> tuple[str, ...]:
        """The director's further IPv4 addresses."""
        return tuple(self.vips.four(number) for number in _LOCALS)

    @property
    def locals6(self) -> tuple[str, ...]:
        """The director's further IPv6 addresses."""
        return tuple(self.vips.six(number) for number in _LOCALS)

    def serve(self, port: int = 8080) -> None:
        """Starts the three web servers; they answer `one`, `two` and `three`."""
        _serve_all(self.servers, ("one", "two", "three"), port)


Topology = Callable[[bool], AbstractContextManager[Routed]]


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
    """For NAT: the director is the router between client 10.9.0.2, fd09::2 and servers 10.0.1.11, fd01::11 to 13.

    The virtual addresses are 10.9.0.100 and fd09::100.
    """
    with Network(keep) as network:
        _switches(network, OUTSIDE, INSIDE)
        client, director = _client(network), network.host("director")
        _plug(network, director, "ext", OUTSIDE, _ROUTER, *OUTSIDE.alone(_VIP))
        _plug(network, director, "int", INSIDE, _ROUTER)
        _forward(director)
        servers = _farm(network, INSIDE, _default(INSIDE))
        yield Routed(network, client, director, director, servers, OUTSIDE, OUTSIDE, INSIDE)


@contextmanager
def beside(keep: bool = False) -> Iterator[Routed]:
    """Director 10.0.1.2 and servers 10.0.1.11 to 13 on one LAN, whose router leads to the client.

    The virtual addresses 10.0.1.100 and fd01::100 are the director's alone.
    """
    with _one_armed(keep, INSIDE, _default(INSIDE)) as net:
        yield net


@contextmanager
def direct(keep: bool = False) -> Iterator[Routed]:
    """For direct routing: as `beside`; the servers hold the virtual addresses too and answer past the director."""
    with beside(keep) as net:
        for server in net.servers:
            hold_silently(net.network, server, *INSIDE.alone(_VIP))
        yield net


@contextmanager
def apart(keep: bool = False) -> Iterator[Routed]:
    """Servers 10.0.2.11 to 13 behind the director's router, which is the servers' way to the client too."""
    with _one_armed(keep, FAR, _default(FAR)) as net:
        yield net


@contextmanager
def remote(keep: bool = False) -> Iterator[Routed]:
    """For tunnels: as `apart`; the agent on each server ends tunnels and holds the virtual addresses."""
    with apart(keep) as net:
        agents = [(server, server.start_agent(net.vip, net.vip6)) for server in net.servers]
        for server, agent in agents:
            if agent.wait(_AGENT_SECONDS * PATIENCE) != 0:
                raise LabError(f"the agent of {server.name} gave exit code {agent.returncode}")
        yield net


@contextmanager
def detached(keep: bool = False) -> Iterator[Routed]:
    """For FullNAT: as `apart`, but the servers have a route to the director's LAN only, none to the client."""
    with _one_armed(keep, FAR, INSIDE.routes_here(_gateway(FAR))) as net:
        yield net


def hold_silently(network: Network, host: Host, *addresses: str) -> None:
    """Gives `lo` of the host addresses that it accepts, but never speaks of in ARP: the director's are asked for.

    IPv6 asks for addresses of the very interface only, so there `lo` is enough.
    """
    network.configure(host, *(f"address add {address} dev lo" for address in addresses))
    host.set_sysctl("net.ipv4.conf.eth0.arp_ignore", 1)
    host.set_sysctl("net.ipv4.conf.eth0.arp_announce", 2)


@contextmanager
def _one_armed(keep: bool, farm: Lan, routes: tuple[str, ...]) -> Iterator[Routed]:
    """A router between client, director and servers; the director has one interface and forwards nothing by itself."""
    with Network(keep) as network:
        lans = {"ext": OUTSIDE, "int": INSIDE} | ({} if farm is INSIDE else {"far": farm})
        _switches(network, *lans.values())
        client, router = _client(network), network.host("router")
        for interface, lan in lans.items():
            _plug(network, router, interface, lan, _ROUTER)
        _forward(router)
        director = network.host("director")
        held = (address for number in (_VIP, *_LOCALS) for address in INSIDE.alone(number))
        _plug(network, director, "eth0", INSIDE, _DIRECTOR, *held)
        network.configure(director, *_default(INSIDE))
        servers = _farm(network, farm, routes)
        yield Routed(network, client, router, director, servers, OUTSIDE, INSIDE, farm)


def _switches(network: Network, *lans: Lan) -> None:
    for lan in lans:
        network.switch(lan.switch)


def _client(network: Network) -> Host:
    client = network.host("client")
    _plug(network, client, "eth0", OUTSIDE, _CLIENT)
    network.configure(client, *_default(OUTSIDE))
    return client


def _farm(network: Network, lan: Lan, routes: tuple[str, ...]) -> tuple[Host, Host, Host]:
    one, two, three = (network.host(f"server{number}") for number in (1, 2, 3))
    for host, number in zip((one, two, three), _SERVERS, strict=True):
        _plug(network, host, "eth0", lan, number)
        network.configure(host, *routes)
    return one, two, three


def _plug(network: Network, host: Host, interface: str, lan: Lan, number: int, *more: str) -> None:
    network.plug(host, interface, lan.switch, *lan.both(number), *more)


def _gateway(lan: Lan) -> tuple[str, str]:
    return lan.four(_ROUTER), lan.six(_ROUTER)


def _default(lan: Lan) -> tuple[str, str]:
    four, six = _gateway(lan)
    return f"route add default via {four}", f"route add ::/0 via {six}"


def _forward(host: Host) -> None:
    host.set_sysctl("net.ipv4.ip_forward", 1)
    host.set_sysctl("net.ipv6.conf.all.forwarding", 1)


def _serve_all(hosts: tuple[Host, ...], answers: tuple[str, ...], port: int) -> None:
    starting = [(host, host.begin_serving(answer, port)) for host, answer in zip(hosts, answers, strict=True)]
    for host, process in starting:
        host.await_ready(process, f"web server on port {port} of {host.name}")
