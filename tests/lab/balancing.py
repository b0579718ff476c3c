# SPDX-License-Identifier: GPL-2.0-or-later
"""One balanced service in a network of its own, for tests that hold for every way of forwarding."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bpvs.lab import listing, offload
from bpvs.lab.host import Host
from bpvs.lab.topology import Routed, Topology, detached, direct, remote, routed
from bpvs.lab.webserver import blocks, checksum
from bpvs.net.links import links

ANSWERS = ("one", "two", "three")


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of forwarding: where it is at home, how `ipvsadm -a` selects it, and the word in the listing."""

    topology: Topology
    option: str
    listed: str


KINDS = {
    "nat": Kind(routed, "-m", "Masq"),
    "dr": Kind(direct, "-g", "Route"),
    "tun": Kind(remote, "-i", "Tunnel"),
    "fullnat": Kind(detached, "-b", "FullNat"),
}


@dataclass(frozen=True, slots=True)
class Balanced:
    """A network whose director balances by one way of forwarding, seen in one address family."""

    net: Routed
    kind: Kind
    is_ipv6: bool

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if self.is_ipv6 else socket.AF_INET

    @property
    def vip(self) -> str:
        return self.net.vip6 if self.is_ipv6 else self.net.vip

    @property
    def client(self) -> str:
        return self.net.clients.six(2) if self.is_ipv6 else self.net.clients.four(2)

    @property
    def servers(self) -> tuple[str, ...]:
        return self.net.addresses6 if self.is_ipv6 else self.net.addresses

    @property
    def locals(self) -> tuple[str, ...]:
        return self.net.locals6 if self.is_ipv6 else self.net.locals

    def service(self, protocol: str = "-t") -> tuple[str, str]:
        """The words that name the service to ipvsadm."""
        return protocol, f"{text(self.vip)}:80"

    def url(self, path: str = "") -> str:
        return f"http://{text(self.vip)}/{path}"

    def add(self, protocol: str = "-t") -> None:
        """The service with its three servers, and for FullNAT both local addresses."""
        service = " ".join(self.service(protocol))
        lines = [f"-A {service} -s rr"]
        if self.kind.option == "-b":
            lines += [f"-P {service} -z {local}" for local in self.locals]
        lines += [f"-a {service} -r {text(server)}:80 {self.kind.option}" for server in self.servers]
        self.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()

    def server(self, command: str, address: str, option: str, protocol: str = "-t") -> None:
        """Adds or edits one real server."""
        words = (command, *self.service(protocol), "-r", f"{text(address)}:80", option)
        self.net.director.ipvsadm(*words).checked()

    def ask(self, count: int, path: str = "") -> list[str]:
        """That many requests, each with a connection of its own; the answers in order."""
        urls = [self.url(f"{path}?{number}") for number in range(count)]
        done = self.net.client.curl("-g", "-H", "Connection: close", "--max-time", "20", *urls, seconds=60)
        return done.checked().out.splitlines()

    def download(self, size: int, folder: Path) -> bool:
        """Whether `size` bytes arrive unchanged."""
        file = folder / "download"
        self.net.client.curl("-g", "-o", str(file), self.url(f"size/{size}"), seconds=60).checked()
        return hashlib.sha256(file.read_bytes()).hexdigest() == checksum(size)

    def upload(self, size: int, folder: Path) -> bool:
        """Whether `size` bytes arrive unchanged at a server."""
        file = folder / "upload"
        with file.open("wb") as out:
            out.writelines(blocks(size))
        told = self.net.client.curl("-g", "-T", str(file), self.url(), seconds=60).checked().out
        return told.split() == [checksum(size), str(size)]

    def stats(self, protocol: str = "TCP") -> listing.StatsRow:
        """The service's own line of --stats."""
        found = listing.stats(self.net.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)
        return found[f"{protocol} {text(self.vip)}:80"]

    def connections(self) -> list[listing.ConnectionRow]:
        return listing.connections(self.net.director.ipvsadm("-L", "-c", "-n").checked().out)


def text(address: str) -> str:
    """As in URLs and in ipvsadm's words: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


@contextmanager
def balanced(kind: str, family: str, hook: str = "tc") -> Iterator[Balanced]:
    """A network of that kind with web servers on port 80, not yet with a service; `hook` is tc or xdp."""
    with KINDS[kind].topology(False) as net:
        net.serve(80)
        if hook == "xdp":
            use_xdp(net)
        yield Balanced(net, KINDS[kind], family == "ipv6")


def use_xdp(net: Routed) -> None:
    """Native XDP on the director's interfaces, frames as from a wire."""
    offload.behave_as_hardware(net.network, "director")
    net.director.bpvs("up", "--mode", "xdp").checked()
    with net.director.inside():
        native = {link.name for link in links() if link.xdp_mode == "native"}
    assert native == ({"ext", "int"} if net.router is net.director else {"eth0"})


def datagram_socket(host: Host, family: socket.AddressFamily, address: tuple[str, int] | None = None) -> socket.socket:
    """A UDP socket on a host, bound to `address` if there is one; it waits at most 5 s."""
    with host.inside():
        made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(5)
    if address:
        made.bind(address)
    return made
