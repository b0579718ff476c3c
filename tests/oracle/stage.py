# SPDX-License-Identifier: GPL-2.0-or-later
"""A director between two wires whose other ends are in our hand: clients outside, servers inside, none with a stack.

Frames are sent and received by AF_PACKET, so a scenario says packet by packet what happens, and any address may be a
client or a server. What the director does with a frame has happened when an echo of the director's own stack, sent
behind it from the same CPU, has come back: both wait in one queue.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Self

from bpvs.lab.network import Network
from bpvs.lab.offload import set_transmit_checksum
from tests.oracle import wire
from tests.oracle.wire import Packet

EXT, INT = "ext", "int"
ROUTER, DIRECTOR = "02:00:00:00:00:02", {EXT: "02:00:00:00:0d:01", INT: "02:00:00:00:0d:02"}
_ECHO = {EXT: ("10.255.0.2", "10.255.0.1"), INT: ("10.255.1.2", "10.255.1.1")}
SERVERS = 20
_NEIGHBOURS = {133, 134, 135, 136, 143}  # ICMPv6 types: neighbour discovery, multicast listeners
_BUFFER_BYTES = 8 << 20
_DEADLINE_S = 30.0


def server_mac(number: int) -> str:
    return f"02:00:00:00:05:{number:02x}"


@cache
def _mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


@dataclass(frozen=True, slots=True)
class Sending:
    """An IP packet for the director: by which wire, from which station there."""

    wire: str
    packet: bytes
    station: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """An IP packet that left the director: by which interface, to which station."""

    wire: str
    station: str
    packet: Packet


class Stage:
    """Both namespaces; a context manager. Scenarios come and go on it, each with addresses of its own."""

    def __init__(self, is_bpvs: bool) -> None:
        self._network = Network()
        self._is_bpvs = is_bpvs
        self._sockets: dict[str, socket.socket] = {}
        self._echoes = 0
        self.sent_at = time.monotonic()  # when the director had dealt with the last packets
        self._own: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._network.__enter__()
        try:
            self._build()
        except BaseException:
            self._network.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets.values():
            one.close()
        self._network.__exit__(kind, error, trace)

    @property
    def director(self) -> str:
        """The name of the director's namespace."""
        return self._network.hosts["director"].name

    def configure(self, *lines: str) -> None:
        """Lines of `ip -batch` for the director."""
        self._network.configure(self._network.hosts["director"], *lines)

    def set_sysctl(self, name: str, value: str | int) -> None:
        self._network.hosts["director"].set_sysctl(name, value)

    def _build(self) -> None:
        director, world = self._network.host("director"), self._network.host("world")
        director.is_director = self._is_bpvs
        world.set_sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        for name, (station, own) in _ECHO.items():
            peer = f"type veth peer name {name} address {DIRECTOR[name]} netns {director.name}"
            self._network.configure(world, f"link add {name} {peer}", f"link set {name} up")
            self.configure(f"link set {name} up", f"address add {own}/24 dev {name}")
            self.configure(f"neighbour add {station} lladdr {ROUTER} dev {name} nud permanent")
        self.configure(
            "address add fd00::1/64 dev ext nodad",
            f"neighbour add fd00::2 lladdr {ROUTER} dev ext nud permanent",
            "route add default via 10.255.0.2",
            "route add ::/0 via fd00::2",
        )
        director.set_sysctl("net.ipv4.ip_forward", 1)
        director.set_sysctl("net.ipv6.conf.all.forwarding", 1)
        # Every answer is to be seen.
        director.set_sysctl("net.ipv4.icmp_ratelimit", 0)
        director.set_sysctl("net.ipv6.icmp.ratelimit", 0)
        with director.inside():
            for name in (EXT, INT):
                set_transmit_checksum(name, enabled=False)
        with world.inside():
            for name in (EXT, INT):
                one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                one.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
                one.bind((name, 3))
                one.setblocking(False)
                self._sockets[name] = one

    def furnish(self, number: int) -> None:
        """The addresses of scenario `number`: virtual ones, and servers with a station each.

        What the director sends to others from now on is of scenarios before, and is not seen.
        """
        self._own = (f"10.{number}.", f"fd00:{number}:", f"fd01:{number}:", f"fd0c:{number}:")
        lines = [
            f"address add {one} dev {EXT}{nodad(one)}" for one in (f"10.{number}.0.100/32", f"fd00:{number}::100/128")
        ]
        lines += [f"address add {one} dev {INT}{nodad(one)}" for one in (f"10.{number}.2.1/24", f"fd01:{number}::1/64")]
        for server in range(1, SERVERS + 1):
            for address in (f"10.{number}.2.{10 + server}", f"fd01:{number}::{10 + server}"):
                lines.append(f"neighbour replace {address} lladdr {server_mac(server)} dev {INT} nud permanent")
        self.configure(*lines)

    def clear(self, number: int) -> None:
        """Takes the addresses of a scenario away again."""
        self.configure(
            f"address delete 10.{number}.0.100/32 dev {EXT}",
            f"address delete fd00:{number}::100/128 dev {EXT}",
            f"address delete 10.{number}.2.1/24 dev {INT}",
            f"address delete fd01:{number}::1/64 dev {INT}",
        )

    def send(self, frames: Iterable[Sending]) -> list[Sighting]:
        """Puts packets on the wires, one behind the other; what the director sent because of them, in its order."""
        count = 0
        for one in frames:
            self._put(one)
            count += 1
        found = self._echo()
        self.sent_at = time.monotonic()
        # The second round is for what took another turn inside the director.
        return found if len(found) >= count else found + self._echo()

    def seen(self) -> list[Sighting]:
        """What the director has sent of its own accord."""
        return self._echo() + self._echo()

    def _put(self, one: Sending) -> None:
        kind = b"\x86\xdd" if one.packet[0] >> 4 == 6 else b"\x08\x00"
        frame = _mac_bytes(DIRECTOR[one.wire]) + _mac_bytes(one.station) + kind + one.packet
        self._sockets[one.wire].send(frame)

    def _echo(self) -> list[Sighting]:
        self._echoes += 1
        source, target = _ECHO[EXT]
        body = wire.icmp(source, target, 8, 0, self._echoes, b"")
        self._put(Sending(EXT, wire.ip(source, target, wire.ICMP, body), ROUTER))
        deadline = time.monotonic() + _DEADLINE_S
        found: list[Sighting] = []
        while time.monotonic() < deadline:
            ready, _, _ = select.select(list(self._sockets.values()), [], [], 1.0)
            done = False
            for name, one in self._sockets.items():
                if one in ready:
                    done |= self._drain(name, found)
            if done:
                for name in self._sockets:
                    self._drain(name, found)
                return found
        raise TimeoutError(f"the director's stack answered no echo for {_DEADLINE_S:g} s")

    def _drain(self, name: str, found: list[Sighting]) -> bool:
        """Takes what has come by a wire; whether the last echo is among it."""
        done = False
        while True:
            try:
                frame = self._sockets[name].recv(70000)
            except BlockingIOError:
                return done
            if frame[12:14] not in {b"\x08\x00", b"\x86\xdd"}:
                continue
            packet = Packet(frame[14:])
            if packet.protocol == wire.ICMP and packet.body[0] == 0 and packet.source == _ECHO[name][1]:
                done |= struct.unpack_from("!I", packet.body, 4)[0] == self._echoes
            elif self._concerns(packet) and not (_is_own(frame, name) or _is_discovery(packet)):
                found.append(Sighting(name, frame[:6].hex(":"), packet))

    def _concerns(self, packet: Packet) -> bool:
        return packet.source.startswith(self._own) or packet.target.startswith(self._own)


def nodad(address: str) -> str:
    return " nodad" if ":" in address else ""


def _is_own(frame: bytes, name: str) -> bool:
    """A frame that we put on the wire ourselves."""
    return frame[:6] == _mac_bytes(DIRECTOR[name])


def _is_discovery(packet: Packet) -> bool:
    # With an extension header, a report of multicast listeners (hop-by-hop options).
    return packet.protocol == 0 or (packet.protocol == wire.ICMP6 and packet.body[0] in _NEIGHBOURS)
