# SPDX-License-Identifier: GPL-2.0-or-later
"""A real server and a peer that plays director and client at once, on one LAN; frames are made by hand."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from scapy.compat import raw
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import Result, own_tool
from bpvs.net.links import links

VIP, VIP6 = "192.0.2.80", "2001:db8::80"
SERVER, SERVER6 = "10.1.0.2", "fd01::2"
PEER, PEER6 = "10.1.0.1", "fd01::1"
CLIENT, CLIENT6 = "198.51.100.7", "2001:db8:7::7"  # behind the peer

_ECHO = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
for family, address in ((socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2])):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.bind((address, 7))
    chosen.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        content, client = key.fileobj.recvfrom(65536)
        key.fileobj.sendto(content, client)
"""


@dataclass(slots=True)
class Lan:
    """The two machines."""

    network: Network
    server: Host
    peer: Host

    def agent(self, *arguments: str) -> Result:
        """Run `bpvs realserver` on the server."""
        return self.server.run(*own_tool("bpvs"), "realserver", *arguments)

    def status(self) -> dict[str, Any]:
        """What `status --json` tells."""
        told: dict[str, Any] = json.loads(self.agent("status", "--json").out)
        return told

    def counted(self) -> dict[str, int]:
        """The counters that are not 0."""
        return {name: count for name, count in self.status()["counters"].items() if count}

    def echo(self) -> None:
        """Start the echo service of UDP on both VIPs."""
        process = self.server.start(sys.executable, "-c", _ECHO, VIP, VIP6, stdout=-1)
        self.server.await_ready(process, "echo service")

    def wire(self) -> Wire:
        """The peer's end of the wire."""
        return Wire(self)


class Wire:
    """Frames between peer and server, as the peer's interface sees them; a context manager."""

    def __init__(self, lan: Lan) -> None:
        with lan.peer.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind(("eth0", 3))
            self.own = _station()
        with lan.server.inside():
            self.server = _station()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def send(self, packet: Packet, dst: str = "") -> None:
        """A packet to the server's station, or to another."""
        self._socket.send(bytes(raw(Ether(src=self.own, dst=dst or self.server) / packet)))

    def frames(self, seconds: float) -> Iterator[Packet]:
        """What the server sends, until the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame = Ether(self._socket.recv(65536))
            except TimeoutError:
                return
            if frame.src == self.server:
                yield frame


def _station() -> str:
    return next(link for link in links() if link.name == "eth0").mac.hex(":")


@contextmanager
def lan() -> Iterator[Lan]:
    """Peer 10.1.0.1, fd01::1 - real server 10.1.0.2, fd01::2, whose gateway the peer is."""
    with Network() as network:
        switch = network.switch("lan")
        peer, server = network.host("peer"), network.host("server")
        network.plug(peer, "eth0", switch, f"{PEER}/24", f"{PEER6}/64", f"{CLIENT}/32", f"{CLIENT6}/128")
        network.plug(server, "eth0", switch, f"{SERVER}/24", f"{SERVER6}/64")
        network.configure(server, f"route add default via {PEER}", f"route add ::/0 via {PEER6}")
        made = Lan(network, server, peer)
        try:
            yield made
        finally:
            made.agent("down")


# Importing it registers the layer that Ether() dissects to.
assert IPv6
