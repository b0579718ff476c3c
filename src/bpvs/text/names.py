# SPDX-License-Identifier: GPL-2.0-or-later

"""Who knows names: the interface between the pure parsers and the system's databases."""

from __future__ import annotations

from bpvs.model import Address, Protocol

PROTOCOL_NAMES = {Protocol.TCP: "tcp", Protocol.UDP: "udp", Protocol.SCTP: "sctp"}


class Resolver:
    """A resolver that knows no names; None from any method means just that.

    Whoever can look into the system's databases overrides the four methods.
    """

    def address_of(self, host: str) -> bytes | None:
        """The first IPv4 address of a host name, 4 bytes in network order."""
        return None

    def port_of(self, service: str, protocol: Protocol) -> int | None:
        """The port of a service name; names are case sensitive."""
        return None

    def host_of(self, address: Address) -> str | None:
        """The name of an address."""
        return None

    def service_of(self, port: int, protocol: Protocol) -> str | None:
        """The name of a port."""
        return None
