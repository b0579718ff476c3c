# SPDX-License-Identifier: GPL-2.0-or-later
"""Services behind SYNPROXY between real stacks, a client's connections to them, and packets that get lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpvs.lab.host import Host
from tests.lab import talker
from tests.lab.balancing import Balanced, text


def talk(site: Balanced, ports: list[int]) -> None:
    """Start the server on the first real server."""
    host = site.net.servers[0]
    words = (sys.executable, talker.__file__, *map(str, ports))
    host.await_ready(host.start(*words, stdout=subprocess.PIPE), "talking server")


def guard(site: Balanced, ports: list[int], guarded: bool = True, server: str = "") -> None:
    """A service with SYNPROXY for each port, all of them on the first real server's same port."""
    lines = []
    for port in ports:
        service = f"-t {text(site.vip)}:{port}"
        lines.append(f"-A {service} -s rr" + (" -j enable" if guarded else ""))
        if site.kind.option == "-b":
            lines += [f"-P {service} -z {local}" for local in site.locals]
        lines.append(f"-a {service} -r {text(server or site.servers[0])}:{port} {site.kind.option}")
    site.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


@contextmanager
def connected(site: Balanced, service: int, seconds: float = 10.0, port: int = 0) -> Iterator[socket.socket]:
    """A client's connection to the service's port, from `port` if told; a wait of `seconds` on it is a TimeoutError."""
    with site.net.client.inside():
        made = socket.socket(site.family, socket.SOCK_STREAM)
    with made:
        made.settimeout(seconds)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", port))
        made.connect((site.vip, service))
        yield made


def line_of(connection: socket.socket) -> bytes:
    """Everything up to the next end of line."""
    content = b""
    while not content.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise EOFError(content)
        content += piece
    return content


def ask(connection: socket.socket, question: str) -> str:
    """One line there, one line back."""
    connection.sendall(f"{question}\n".encode())
    return line_of(connection).decode().strip()


def counter(host: Host, name: str, table: str = "snmp", group: str = "Tcp") -> int:
    """A counter of the host's stack, as /proc/net/snmp and /proc/net/netstat name them."""
    with host.inside():
        rows = Path(f"/proc/thread-self/net/{table}").read_text(encoding="ascii").splitlines()
    names, values = (row.split()[1:] for row in rows if row.startswith(f"{group}:"))
    return int(values[names.index(name)])


@contextmanager
def wire_rules(site: Balanced, *rules: str) -> Iterator[None]:
    """nftables rules on all that the switches take in; for IPv6 with the words of IPv4."""
    wire = site.net.network.hosts["wire"]
    ports = [one.split(":")[1].strip().split("@")[0] for one in wire.run("ip", "-o", "link").checked().out.splitlines()]
    devices = ", ".join(f'"{one}"' for one in ports if one.startswith("port"))
    head = f"type filter hook ingress devices = {{ {devices} }} priority 0;"
    body = "\n".join(rule.replace("ip ", "ip6 ") if site.is_ipv6 else rule for rule in rules)
    wire.run("nft", "-f", "-", stdin=f"table netdev wire {{\nchain in {{\n{head}\n{body}\n}}\n}}\n").checked()
    try:
        yield
    finally:
        wire.run("nft", "delete", "table", "netdev", "wire").checked()


def passed(site: Balanced) -> list[int]:
    """Packets of each rule with a counter, in their order."""
    listed = site.net.network.hosts["wire"].run("nft", "list", "table", "netdev", "wire").checked().out
    words = listed.split()
    return [int(words[at + 2]) for at, word in enumerate(words) if word == "counter"]
