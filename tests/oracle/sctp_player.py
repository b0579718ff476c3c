# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays SCTP associations with the ipvsadm that is named and prints a transcript: sctp_player.py IPVSADM.

Run it with the real ipvsadm on the kernel's IPVS and with BPVS's: the two transcripts are the same, but for timers,
which are written as a word. The sockets are the kernel's, one-to-one (RFC 6458 section 4).
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from bpvs.lab.host import Host
from bpvs.lab.offload import set_transmit_checksum
from bpvs.lab.shell import own_tool, run
from bpvs.lab.topology import Routed, apart, direct, routed
from bpvs.lab.wait import until

VIRTUAL_PORT = 3868
SERVER_PORT = 13868
DEADLINE_S = 60.0
COMMAND_S = 180.0  # the first one loads the data plane, and the machine's verifier is emulated
MESSAGE = bytes(range(256)) * 40  # longer than a packet, so that the stack makes several at once
MESSAGES = 200_000


class Player:
    """A director's shell, a client and its first server."""

    def __init__(self, network: Routed, ipvsadm: str) -> None:
        self.network = network
        self.ipvsadm = ipvsadm
        self.port = 40000
        # The kernel's IPVS goes with its namespace; an instance of BPVS is ended before.
        network.director.is_director = own_tool("ipvsadm") == [ipvsadm]

    def run(self, arguments: str) -> str:
        """What ipvsadm printed; LabError if it failed."""
        return self.network.director.run(self.ipvsadm, *arguments.split(), seconds=COMMAND_S).checked().out

    def table(self) -> None:
        """Prints the services and active connections; how many inactive ones are still kept is a matter of time."""
        print(re.sub(r"^( +-> .+?)\d+ *$", r"\1KEPT", self.run("-L -n"), flags=re.MULTILINE), flush=True)

    def entry(self, state: str, port: str) -> str:
        """A connection of such a client port in that state, without what differs from run to run; "" for none."""
        found = re.search(rf"^(SCTP) \S+ +({state} +\S+):{port} (.*)$", self.run("-L -n -c"), re.MULTILINE)
        return "{} TIMER {}:PORT {}".format(*found.groups()) if found else ""

    def await_state(self, state: str, port: str = "") -> None:
        """Prints the last client port's entry, or that of such a port, as soon as one has the state."""
        what = f"a connection should come to {state}"
        print(until(lambda: self.entry(state, port or str(self.port)), what, DEADLINE_S), flush=True)

    def converse(self, title: str, virtual: str, server: str, server_port: int) -> None:
        """An association from its beginning to its end."""
        print(f"# {title}")
        with listening(self.network.servers[0], server, server_port) as listener:
            client = self.client(virtual)
            client.connect((virtual, VIRTUAL_PORT))
            self.await_state("ESTABLISHED")
            self.table()
            echo(client, listener)
        self.await_state("CLOSED")
        self.table()

    def await_refusal(self, virtual: str) -> None:
        """Prints the entry of a client whom no server answered but by an ABORT; it goes soon, so the client insists."""
        seen = Event()
        client = Thread(target=self.insist, args=(virtual, seen))
        client.start()
        try:
            self.await_state("REJECTED", r"\d+")
        finally:
            seen.set()
            client.join()

    def insist(self, virtual: str, seen: Event) -> None:
        """Asks from ever new ports, with a pause that keeps the table short."""
        while not seen.wait(0.5):
            with self.client(virtual) as client, suppress(ConnectionRefusedError):
                client.connect((virtual, VIRTUAL_PORT))

    def client(self, virtual: str) -> socket.socket:
        """A socket of the client at a new port, with one address: IPVS translates none that a packet tells of."""
        self.port += 1
        clients = self.network.clients
        return bound(self.network.client, clients.six(2) if ":" in virtual else clients.four(2), self.port)


def bound(host: Host, address: str, port: int) -> socket.socket:
    """An SCTP socket on the host."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.inside():
        one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    one.settimeout(DEADLINE_S)
    one.bind((address, port))
    return one


@contextmanager
def listening(host: Host, address: str, port: int) -> Iterator[socket.socket]:
    """A server's socket."""
    with bound(host, address, port) as one:
        one.listen()
        yield one


def echo(client: socket.socket, listener: socket.socket) -> None:
    """Many messages there and back, then the client shuts down."""
    server, _ = listener.accept()
    server.settimeout(DEADLINE_S)
    total = 0
    with client, server:
        for sender, receiver in ((client, server), (server, client)) * (MESSAGES // 2 // len(MESSAGE) + 1):
            message = MESSAGE[: min(len(MESSAGE), MESSAGES - total)]
            sender.sendall(message)
            total += len(message)
            received = b""
            while len(received) < len(message):
                received += receiver.recv(len(message) - len(received))
            assert received == message
    print(f"echoed {total} bytes")


def play_nat(ipvsadm: str) -> None:
    """With another port at the server, and checksums finished by everyone who may."""
    with routed() as network:
        player = Player(network, ipvsadm)
        for virtual, server in ((network.vip, network.addresses[0]), (network.vip6, network.addresses6[0])):
            at, to = (f"[{one}]" if ":" in one else one for one in (virtual, server))
            player.run(f"-A --sctp-service {at}:{VIRTUAL_PORT} -s rr")
            player.run(f"-a --sctp-service {at}:{VIRTUAL_PORT} -r {to}:{SERVER_PORT} -m")
        server = network.addresses[0]
        player.converse("NAT, checksums never finished", network.vip, server, SERVER_PORT)
        player.await_refusal(network.vip)
        set_checksums(network.director, "ext", "int")
        player.converse("NAT, checksums finished behind the director", network.vip, server, SERVER_PORT)
        set_checksums(network.client, "eth0")
        set_checksums(network.servers[0], "eth0")
        player.converse("NAT, checksums finished by the ends", network.vip, server, SERVER_PORT)
        player.await_refusal(network.vip)
        player.converse("NAT, IPv6", network.vip6, network.addresses6[0], SERVER_PORT)


def play_route(ipvsadm: str) -> None:
    """Replies that the director does not see."""
    with direct() as network:
        player = Player(network, ipvsadm)
        player.run(f"-A --sctp-service {network.vip}:{VIRTUAL_PORT} -s rr")
        player.run(f"-a --sctp-service {network.vip}:{VIRTUAL_PORT} -r {network.addresses[0]}:{VIRTUAL_PORT} -g")
        player.converse("DR", network.vip, network.vip, VIRTUAL_PORT)


def play_tunnel(ipvsadm: str) -> None:
    """The kernel's tunnel device at the server; packets that several were merged into come apart before."""
    run(["modprobe", "ipip"]).checked()
    with apart() as network:
        player, server = Player(network, ipvsadm), network.servers[0]
        network.network.configure(
            server,
            f"link add ipip1 type ipip local {network.addresses[0]} remote any",
            "link set ipip1 up",
            f"address add {network.vip}/32 dev lo",
        )
        for name in ("all", "ipip1"):
            server.set_sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        player.run(f"-A --sctp-service {network.vip}:{VIRTUAL_PORT} -s rr")
        player.run(f"-a --sctp-service {network.vip}:{VIRTUAL_PORT} -r {network.addresses[0]}:{VIRTUAL_PORT} -i")
        player.converse("TUN", network.vip, network.vip, VIRTUAL_PORT)


def set_checksums(host: Host, *interfaces: str) -> None:
    """The host finishes what it sends there."""
    with host.inside():
        for interface in interfaces:
            set_transmit_checksum(interface, enabled=False)


def main(ipvsadm: str) -> int:
    """Play everything; 0 if it came to its end."""
    play_nat(ipvsadm)
    play_route(ipvsadm)
    play_tunnel(ipvsadm)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
