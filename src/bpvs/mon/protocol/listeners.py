# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets for clients and traps, on IPv4 and IPv6."""

from __future__ import annotations

import socket

from bpvs.model import BpvsError

PORT = 2583  # IANA: mon


class CannotListen(BpvsError):
    """A port cannot be bound; the sentence says which and why."""

    text = "a port cannot be bound"


def listening_sockets(host: str | None, port: int, kind: socket.SocketKind) -> list[socket.socket]:
    """Bound sockets, one for each address of `host`; None: every address of both families, as far as there are.

    `kind` is SOCK_STREAM for clients or SOCK_DGRAM for traps. Port 0 is any free one, the same for both families.
    CannotListen.
    """
    made: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port, kind):
            one = socket.socket(family, kind)
            made.append(one)
            one.setblocking(False)
            if kind == socket.SOCK_STREAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address, made[0].getsockname()[1] if len(made) > 1 else port))
    except OSError as error:
        for one in made:
            one.close()
        word = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        raise CannotListen(f"could not bind {word} port {port} of {host or 'this host'}: {error.strerror}") from error
    return made


def _addresses(host: str | None, port: int, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, str]]:
    if host is None:
        families = [socket.AF_INET, socket.AF_INET6] if _has_ipv6() else [socket.AF_INET]
        return [(family, "" if family == socket.AF_INET else "::") for family in families]
    found = socket.getaddrinfo(host, port, type=kind)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _has_ipv6() -> bool:
    """A kernel without IPv6, or with it switched off, has no ::1 to bind."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True
