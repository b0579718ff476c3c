# SPDX-License-Identifier: GPL-2.0-or-later
"""Names from the system's databases: hosts, DNS and services."""

from __future__ import annotations

# The C module below socket, which is loaded anyway; socket itself costs milliseconds.
import _socket
import os

from bpvs.model import Address, Protocol
from bpvs.text.names import PROTOCOL_NAMES, Resolver


class SystemResolver(Resolver):
    """Asks the C library, as the original ipvsadm does; whatever it does not find is None."""

    def address_of(self, host: str) -> bytes | None:
        """The first IPv4 address of a host name."""
        # Python gives these two a meaning of their own, as "any" and "broadcast" address.
        if not host or host == "<broadcast>":
            return None
        try:
            # Bytes go to the C library as they are; a str would first load the codec for international names.
            return _socket.inet_aton(_socket.gethostbyname(os.fsencode(host)))  # type: ignore[arg-type]
        except OSError:
            return None

    def port_of(self, service: str, protocol: Protocol) -> int | None:
        """The port of a name in the services database."""
        try:
            return _socket.getservbyname(service, PROTOCOL_NAMES[protocol])
        except (OSError, ValueError):
            return None

    def host_of(self, address: Address) -> str | None:
        """The canonical name of an address."""
        try:
            return _socket.gethostbyaddr(os.fsencode(str(address)))[0]  # type: ignore[arg-type]
        except OSError:
            return None

    def service_of(self, port: int, protocol: Protocol) -> str | None:
        """The name of a port in the services database."""
        try:
            return _socket.getservbyport(port, PROTOCOL_NAMES[protocol])
        except OSError:
            return None
