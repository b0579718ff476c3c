# SPDX-License-Identifier: GPL-2.0-or-later
"""`host[:port]` as ipvsadm reads and prints it."""

from __future__ import annotations

from _socket import inet_aton

from bpvs.model import Address, Family, Protocol
from bpvs.text.integers import parse_integer
from bpvs.text.names import Resolver

NAME_ROOM = 59  # ipvsadm cuts host:port to its buffer of 60 bytes


def parse_endpoint(text: str, protocol: Protocol | None, resolver: Resolver) -> tuple[Address, int | None] | None:
    """Address and port of `host[:port]`; the port is None if none was given, the whole is None if it is wrong.

    Accepted: IPv4 in the forms of inet_aton(3) or a host name, with `:port` or `:service`; an IPv6 address; an IPv6
    address in brackets, which then needs the port. IPv4 or a name in brackets loses its port, as in ipvsadm 1.31.
    `protocol` is where service names are looked up; without one only numbers are ports.
    """
    port: str | None = None
    if text.isascii() and (text.isdigit() or not text):
        return None
    if text.startswith("["):
        text, bracket, rest = text[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            return None
        port = rest[1:]
    address = _ipv6(text)
    if address is None:
        host, colon, tail = text.rpartition(":")
        host, port = (host, tail) if colon else (text, None)
        address = parse_host(host, resolver)
    if address is None:
        return None
    if port is None:
        return address, None
    number = parse_port(port, protocol, resolver)
    return None if number is None else (address, number)


def parse_host(host: str, resolver: Resolver) -> Address | None:
    """An IPv4 address in any form of inet_aton(3), or the first IPv4 address of a host name."""
    packed: bytes | None
    try:
        packed = inet_aton(host)
    except (OSError, ValueError):
        packed = resolver.address_of(host)
    return None if packed is None else Address(Family.IPV4, packed)


def parse_port(text: str, protocol: Protocol | None, resolver: Resolver) -> int | None:
    """A port number 0 to 65535, or the port of a service name."""
    number = parse_integer(text, 0, 65535)
    if number is None and protocol is not None:
        number = resolver.port_of(text, protocol)
    return number


def _ipv6(text: str) -> Address | None:
    if text.count(":") < 2:  # no IPv6 address has fewer, and most text here is IPv4 with a port
        return None
    try:
        return Address.parse(text)
    except ValueError:
        return None


class EndpointPrinter:
    """Prints address:port, IPv6 in brackets; with a resolver as names where it knows some, without as numbers."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver
        # Listings repeat the same hosts and ports; every look-up may go through the network.
        self._hosts: dict[bytes, str] = {}
        self._ports: dict[tuple[int, Protocol], str] = {}

    @property
    def is_numeric(self) -> bool:
        """Whether everything is printed as numbers."""
        return self._resolver is None

    def text(self, address: Address, port: int, protocol: Protocol | None) -> str:
        """At most 59 characters, the rest is cut."""
        return f"{self.host(address)}:{self.port(port, protocol)}"[:NAME_ROOM]

    def host(self, address: Address) -> str:
        """The part before the port."""
        host = self._hosts.get(address.packed)
        if host is None:
            name = (self._resolver.host_of(address) if self._resolver else None) or str(address)
            host = self._hosts[address.packed] = f"[{name}]" if address.is_ipv6 else name
        return host

    def port(self, port: int, protocol: Protocol | None) -> int | str:
        """The part after the colon."""
        if self._resolver is None or protocol is None:
            return port
        service = self._ports.get((port, protocol))
        if service is None:
            service = self._ports[port, protocol] = self._resolver.service_of(port, protocol) or str(port)
        return service
