# SPDX-License-Identifier: GPL-2.0-or-later
"""realserver/toa.h: connections made by hand, as a full-NAT director makes them, against a process in a cgroup."""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from bpvs.lab.shell import own_tool
from tests.lab.realserver_net import VIP, VIP6, Lan, Wire, lan

pytestmark = pytest.mark.root

LOCAL, LOCAL6 = "203.0.113.5", "2001:db8:5::5"  # the director's addresses; no stack has them, so none resets
USER, USER6 = "192.0.2.200", "2001:db8:9::9"  # the client's
USER_PORT = 51515
FAST_OPEN_MAGIC = 0xF989  # a port that the kernel takes for another experiment (net/ipv4/tcp_input.c)
PORT = {socket.AF_INET: 8004, socket.AF_INET6: 8006}
SECONDS = 10

EAGER = 8005  # here the server speaks first

# Says what accept() gave, and after the first data what getpeername() gives.
_SERVER = """
import os, selectors, socket, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
chosen = selectors.DefaultSelector()
for family, port in ((socket.AF_INET, 8004), (socket.AF_INET, 8005), (socket.AF_INET6, 8006)):
    one = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind(("", port))
    one.listen()
    chosen.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        connection, address = key.fileobj.accept()
        print("accept", address[0], address[1], flush=True)
        if connection.getsockname()[1] == 8005:
            connection.send(b"welcome")
        connection.recv(100)
        address = connection.getpeername()
        print("peer", address[0], address[1], flush=True)
        connection.close()
"""


# A process of a cgroup below, which listens by Multipath TCP as Go's programs do where the kernel can. It hands the
# connection on to a child that leaves for the root cgroup; a thread of that asks.
_HEIRS = """
import os, socket, sys, threading

def enter(cgroup):
    with open(cgroup + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))

enter(sys.argv[1])
protocol = 262 if os.path.exists("/proc/sys/net/mptcp/enabled") else 0
one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
one.bind(("", 8004))
one.listen()
print("ready", flush=True)
connection, address = one.accept()
print("accept", *address, flush=True)
if not os.fork():
    enter(sys.argv[2])
    connection.recv(100)
    threading.Thread(target=lambda: print("peer", *connection.getpeername(), flush=True)).start()
else:
    os.wait()
"""


def cgroup_mount() -> Path:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[2] == "cgroup2":
            return Path(words[1])
    pytest.skip("needs a cgroup v2 file system: mount -t cgroup2 none /mnt")


@dataclass
class Server:
    """A process in a cgroup of its own on the real server."""

    net: Lan
    cgroup: Path
    process: subprocess.Popen[str]
    ports: Iterator[int] = field(default_factory=lambda: iter(range(30000, 60000)))

    def agent(self, *arguments: str) -> None:
        """Run `bpvs realserver` with the mounts of the test: below `ip netns exec`, cgroups are out of sight."""
        with self.net.server.inside():
            subprocess.run([*own_tool("bpvs"), "realserver", *arguments], check=True, stdout=subprocess.DEVNULL)

    def up(self, *arguments: str) -> None:
        self.agent("up", "--vip", VIP, "--vip", VIP6, "--dev", "eth0", "--toa", str(self.cgroup), *arguments)

    def says(self) -> tuple[str, str, int]:
        """The next line: which call, and the address that it gave."""
        output = self.process.stdout
        assert output is not None
        assert select.select([output], [], [], SECONDS)[0], "the server should say something"
        call, address, port = output.readline().split()
        return call, address, int(port)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    folder = cgroup_mount() / f"bpvs-{os.getpid():x}-{secrets.token_hex(2)}"
    folder.mkdir()
    yield folder
    folder.rmdir()


@contextmanager
def running(net: Lan, cgroup: Path, script: str, *arguments: str) -> Iterator[Server]:
    with net.server.inside():
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, bufsize=1
        )
    try:
        net.server.await_ready(process, "server in the cgroup")
        yield Server(net, cgroup, process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def server(cgroup: Path) -> Iterator[Server]:
    with lan() as net, running(net, cgroup, _SERVER, str(cgroup)) as made:
        yield made


def toa(kind: int, address: str, port: int = USER_PORT) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return kind, struct.pack("!H", port) + socket.inet_pton(family, address)


class Conversation:
    """A connection from the director's address to a VIP, segment by segment."""

    def __init__(self, wire: Wire, own: str, listener: int, port: int) -> None:
        self._wire, self._port, self._listener = wire, port, listener
        vip = VIP6 if ":" in own else VIP
        self._head = IPv6(src=own, dst=vip) if ":" in own else IP(src=own, dst=vip)
        self._sequence = 1000
        self._expected = 0

    def _send(self, flags: str, options: list[tuple[int, bytes]], content: bytes = b"") -> None:
        segment = TCP(
            sport=self._port, dport=self._listener, flags=flags, seq=self._sequence, ack=self._expected, options=options
        )
        self._wire.send(self._head / segment / Raw(content) if content else self._head / segment)
        self._sequence += len(content) + flags.count("S")

    def _await(self, flags: str) -> Packet:
        for frame in self._wire.frames(SECONDS):
            if TCP in frame and frame[TCP].dport == self._port and set(flags) <= set(str(frame[TCP].flags)):
                return frame
        raise TimeoutError(f"no segment with {flags}")

    def open(self, *options: tuple[int, bytes]) -> None:
        """The handshake; options travel in the ACK."""
        self._send("S", [])
        self._expected = self._await("SA")[TCP].seq + 1
        self._send("A", list(options))

    def hear(self) -> None:
        """The server's first data, acknowledged."""
        self._expected += len(bytes(self._await("PA")[TCP].payload))

    def confirm(self, *options: tuple[int, bytes]) -> None:
        self._send("A", list(options))

    def data(self, *options: tuple[int, bytes]) -> None:
        self._send("PA", list(options), b"data")


def converse(
    server: Server,
    listener: socket.AddressFamily,
    own: str,
    ack: list[tuple[int, bytes]],
    data: list[tuple[int, bytes]],
) -> tuple[tuple[str, int], tuple[str, int], tuple[str, int]]:
    """One connection: its real peer, what accept() and then getpeername() told."""
    port = next(server.ports)
    with server.net.wire() as wire:
        one = Conversation(wire, own, PORT[listener], port)
        one.open(*ack)
        accepted = server.says()
        one.data(*data)
        named = server.says()
    assert (accepted[0], named[0]) == ("accept", "peer")
    shown = own if ":" in own or listener == socket.AF_INET else f"::ffff:{own}"
    return (shown, port), accepted[1:], named[1:]


INET, INET6 = socket.AF_INET, socket.AF_INET6
PEER = ("", 0)  # stands for the real peer
TOLD = {
    "IPv4 to an IPv4 socket": (INET, LOCAL, toa(254, USER), (USER, USER_PORT)),
    "IPv4 to a socket for both": (INET6, LOCAL, toa(254, USER), (f"::ffff:{USER}", USER_PORT)),
    "IPv6 by kind 253 to an IPv4 socket": (INET, LOCAL, toa(253, USER6), PEER),
    "IPv6 by kind 253 to a socket for both": (INET6, LOCAL, toa(253, USER6), (USER6, USER_PORT)),
    "IPv6 by kind 254 to a socket for both": (INET6, LOCAL, toa(254, USER6), (USER6, USER_PORT)),
    "IPv6 by kind 253 in IPv6": (INET6, LOCAL6, toa(253, USER6), (USER6, USER_PORT)),
    "IPv6 by kind 254 in IPv6": (INET6, LOCAL6, toa(254, USER6), (USER6, USER_PORT)),
    "IPv4 in IPv6": (INET6, LOCAL6, toa(254, USER), (f"::ffff:{USER}", USER_PORT)),
    "a port that looks like Fast Open": (INET, LOCAL, toa(254, USER, FAST_OPEN_MAGIC), (USER, FAST_OPEN_MAGIC)),
    "a loopback address": (INET, LOCAL, toa(254, "127.0.0.1"), PEER),
    "an option of another length": (INET, LOCAL, (254, b"\xe2\xd4\xc3\xd9"), PEER),
}


def test_accept_and_getpeername_tell_the_client(server: Server) -> None:
    server.up()
    for name, (listener, own, option, told) in TOLD.items():
        padding: tuple[int, bytes] = (1, b"")
        real, accepted, named = converse(server, listener, own, [padding, padding, option], [])
        assert (accepted, named) == ((told if told != PEER else real,) * 2), name
        real, accepted, named = converse(server, listener, own, [], [option])
        assert (accepted, named) == (real, told if told != PEER else real), f"{name}, in the data"
    counted = server.net.counted()
    assert counted["toa_learnt"] == 2 * (len(TOLD) - 2)
    assert counted["toa_martian"] == 2


def test_processes_of_cgroups_below_and_heirs_of_a_socket_are_told(cgroup: Path) -> None:
    """Started when the agent is there already."""
    below = cgroup / "below"
    below.mkdir()
    try:
        with lan() as net:
            with net.server.inside():
                arguments = ("up", "--vip", VIP, "--dev", "eth0", "--toa", str(cgroup))
                subprocess.run([*own_tool("bpvs"), "realserver", *arguments], check=True, stdout=subprocess.DEVNULL)
            with running(net, cgroup, _HEIRS, str(below), str(cgroup_mount())) as server, net.wire() as wire:
                one = Conversation(wire, LOCAL, PORT[INET], 30000)
                one.open(toa(254, USER))
                assert server.says() == ("accept", USER, USER_PORT)
                one.data()
                assert server.says() == ("peer", USER, USER_PORT)
    finally:
        below.rmdir()


def test_only_the_first_data_counts(server: Server) -> None:
    server.up()
    real, accepted, named = converse(server, INET, LOCAL, [], [])
    assert accepted == named == real
    port = next(server.ports)
    with server.net.wire() as wire:
        one = Conversation(wire, LOCAL, PORT[INET], port)
        one.open()
        assert server.says() == ("accept", LOCAL, port)
        one.data()
        one.data(toa(254, USER))
        assert server.says() == ("peer", LOCAL, port)
    assert "toa_learnt" not in server.net.counted()


def test_nothing_is_believed_once_the_server_has_spoken(server: Server) -> None:
    """By then a director has told what it has to tell: the option would be the client's own."""
    server.up()
    port = next(server.ports)
    with server.net.wire() as wire:
        one = Conversation(wire, LOCAL, EAGER, port)
        one.open()
        assert server.says() == ("accept", LOCAL, port)
        one.hear()
        one.confirm(toa(254, USER))
        one.data(toa(254, USER))
        assert server.says() == ("peer", LOCAL, port)
    assert "toa_learnt" not in server.net.counted()


@pytest.mark.parametrize(
    ("prefixes", "own", "is_told"),
    [
        (("203.0.113.0/24",), LOCAL, True),
        (("203.0.113.0/24",), LOCAL6, False),
        (("2001:db8:5::/48",), LOCAL6, True),
        (("2001:db8:5::/48",), LOCAL, False),
        (("198.51.100.0/24", "203.0.113.5/32"), LOCAL, True),
        (("203.0.113.4/32",), LOCAL, False),
    ],
)
def test_a_stranger_is_not_believed(server: Server, prefixes: tuple[str, ...], own: str, is_told: bool) -> None:
    server.up(*(word for prefix in prefixes for word in ("--toa-from", prefix)))
    real, accepted, _ = converse(server, INET6, own, [toa(254, USER6)], [])
    assert accepted == ((USER6, USER_PORT) if is_told else real)
    assert server.net.counted() == {"toa_learnt" if is_told else "toa_untrusted": 1}


def test_a_client_stays_known_when_the_agent_is_set_up_again(server: Server) -> None:
    """By `up` after an update, for one: the programs are new ones then."""
    server.up()
    with server.net.wire() as wire:
        one = Conversation(wire, LOCAL, PORT[INET], next(server.ports))
        one.open(toa(254, USER))
        assert server.says() == ("accept", USER, USER_PORT)
        server.up("--toa-from", "198.51.100.0/24")
        one.data()
        assert server.says() == ("peer", USER, USER_PORT)
    assert server.net.counted() == {"toa_learnt": 1}


def test_toa_ends_when_it_is_no_longer_asked_for(server: Server) -> None:
    server.net.network.configure(server.net.server, f"address add {VIP}/32 dev lo")  # it stays there all the time
    server.up()
    server.up()  # again: still one answer
    assert converse(server, INET, LOCAL, [toa(254, USER)], [])[1] == (USER, USER_PORT)
    server.agent("up", "--vip", VIP, "--dev", "eth0")
    real, accepted, _ = converse(server, INET, LOCAL, [toa(254, USER)], [])
    assert accepted == real
    server.up()
    assert converse(server, INET, LOCAL, [toa(254, USER)], [])[1] == (USER, USER_PORT)
    server.agent("down")
    real, accepted, _ = converse(server, INET, LOCAL, [toa(254, USER)], [])
    assert accepted == real


def test_sockets_of_another_network_namespace_are_left_alone(server: Server) -> None:
    """The cgroup may hold them; their namespace has an agent of its own, or none."""
    with lan() as other:
        with other.server.inside():
            arguments = ("up", "--vip", VIP, "--dev", "eth0", "--toa", str(server.cgroup))
            subprocess.run([*own_tool("bpvs"), "realserver", *arguments], check=True, stdout=subprocess.DEVNULL)
        server.agent("up", "--vip", VIP, "--dev", "eth0")
        real, accepted, _ = converse(server, INET, LOCAL, [toa(254, USER)], [])
        assert accepted == real
