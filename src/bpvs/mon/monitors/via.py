# SPDX-License-Identifier: GPL-2.0-or-later
"""Through the virtual address: `--via VIP[:PORT]` sends a check to a service of the director by way of each host.

The hosts are real servers of the service, in its table or not: what an alert has taken out goes on being looked at. The
ways are opened together when the first host's turn comes, and closed when the last host has been checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from bpvs.director.probes import Probe
    from bpvs.model import Address, RealServer, ServiceKey, Table

    Opened = tuple[dict[str, Probe | Sick], AbstractContextManager[object] | None]

_MARGIN = 60  # seconds beyond those of the checks for which a way stays open, if nobody closes it
_WRITTEN = re.compile(r"(?:\[(?P<six>[^]]*)\]|(?P<four>[^:]*))(?::(?P<port>[0-9]{1,5}))?")
_known: dict[tuple[ServiceKey, Address], RealServer] = {}  # servers as they were listed last


@dataclass(frozen=True)
class Via:
    """A virtual address, and the port if it is not the check's own."""

    address: str
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}" if self.port else host


def read_via(text: str) -> Via:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`; ValueError."""
    parts = _WRITTEN.fullmatch(text)
    host, port = (parts["six"] or parts["four"], int(parts["port"] or 0)) if parts else (text, 0)
    try:
        address = str(ipaddress.ip_address(host))
    except ValueError:
        address = ""
    if not address or port >> 16:
        raise ValueError(f"{text!r} is no virtual address: right would be 192.0.2.1:80 or [2001:db8::1]:80")
    return Via(address, port)


class Ways:
    """The ways that the hosts of one call are checked by; nothing is opened before somebody asks."""

    def __init__(self, hosts: Sequence[str], seconds: float) -> None:
        self._hosts = hosts
        self._seconds = seconds
        self._opening: dict[ServiceKey, asyncio.Future[Opened]] = {}

    @property
    def are_open(self) -> bool:
        """Whether there is something to close."""
        return bool(self._opening)

    async def to(self, host: str, key: ServiceKey, source: str) -> Probe:
        """The way to the service by the host; Sick."""
        if key not in self._opening:
            thread = asyncio.to_thread(_open, key, self._hosts, self._seconds + _MARGIN, source)
            self._opening[key] = asyncio.ensure_future(thread)
        opened, _ = await asyncio.shield(self._opening[key])
        found = opened[host]
        if isinstance(found, Sick):
            raise found
        return found

    async def close(self) -> None:
        """Close them; what a killed process leaves open ends with its time."""
        for opening in self._opening.values():
            _, probes = await opening
            if probes is not None:
                await asyncio.to_thread(probes.__exit__, None, None, None)
        self._opening.clear()


ways: ContextVar[Ways] = ContextVar("ways")  # of the call that this task belongs to
way: ContextVar[Probe] = ContextVar("way")  # of the host that this task checks


async def target_via(via: Via, port: int, host: str, source: str, kind: socket.SocketKind) -> tuple[str, int]:
    """Where to connect to, with sockets of the way that is this task's from now on; Sick."""
    from bpvs.model import Address, Protocol, ServiceKey

    port = via.port or port
    if not port:
        raise Sick("a check without a port cannot go through a virtual address")
    protocol = Protocol.UDP if kind is socket.SOCK_DGRAM else Protocol.TCP
    key = ServiceKey.at(protocol, Address.parse(via.address), port)
    way.set(await ways.get().to(host, key, source))
    return via.address, port


def prepare(opened: socket.socket) -> None:
    """Puts a socket on this task's way; OSError."""
    probe = way.get()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, probe.mark)
    if probe.source is not None:
        opened.bind((str(probe.source), 0))


def _open(key: ServiceKey, hosts: Sequence[str], seconds: float, source: str) -> Opened:
    """Ways by all hosts, or why there is none; runs in a thread, since it may wait for other commands."""
    from bpvs.director import Director
    from bpvs.director.probes import LONGEST
    from bpvs.model import Address

    try:
        director = Director()
        table = director.table()
        key = _listed_key(table, key)
        servers = {host: _server(table, key, host) for host in hosts}
        wanted = {host: server for host, server in servers.items() if not isinstance(server, Sick)}
        probes = director.probes(key, wanted.values(), min(seconds, LONGEST), Address.parse(source) if source else None)
        opened = dict(zip(wanted, probes.__enter__(), strict=True))
    except PermissionError:
        return dict.fromkeys(hosts, Sick("only root may check through a virtual address")), None
    except BpvsError as error:
        return dict.fromkeys(hosts, Sick(str(error))), None
    return {host: opened.get(host) or servers[host] for host in hosts}, probes  # type: ignore[misc]  # a Sick


def _listed_key(table: Table, key: ServiceKey) -> ServiceKey:
    """The service's own key: it may be one for all ports. Sick."""
    from bpvs.model import ServiceKey

    assert key.protocol is not None
    assert key.address is not None
    for one in (key, ServiceKey.at(key.protocol, key.address, 0)):
        if table.has(one):
            return one
    raise Sick(f"{key.protocol.name} {Via(str(key.address), key.port)} is no virtual service of this director")


def _server(table: Table, key: ServiceKey, host: str) -> RealServer | Sick:
    """The host as the service lists it, or did last, or would by the method of its newest server."""
    from bpvs.model import RealServer

    listed = list(table.servers(key))
    _known.update(((key, server.address), server) for server in reversed(listed))
    addresses = _addresses(host)
    for address in addresses:
        if (key, address) in _known:
            return _known[key, address]
    if not addresses:
        return Sick("name unknown")
    if not listed:
        return Sick("the service has no server, so nobody knows how this one would be reached")
    like, address = listed[0], _nearest(addresses, listed[0].address)
    return RealServer(address, like.port, like.method, tunnel=like.tunnel)


def _addresses(host: str) -> list[Address]:
    from bpvs.model import Address

    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [Address.parse(str(address[0]).partition("%")[0]) for *_, address in found]


def _nearest(addresses: Iterable[Address], like: Address) -> Address:
    """The first of the same family, else the first."""
    return min(addresses, key=lambda address: address.family is not like.family)
