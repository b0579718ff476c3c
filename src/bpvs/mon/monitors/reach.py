# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to a host: its addresses, and sockets with the source, interface and mark that were asked for."""

from __future__ import annotations

import errno
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bpvs.mon.monitors.resolver import resolve
from bpvs.mon.monitors.verdict import Sick, sick
from bpvs.mon.monitors.via import prepare, target_via

if TYPE_CHECKING:
    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.verdict import Stopwatch

    Target = tuple[socket.AddressFamily, tuple[Any, ...]]  # as getaddrinfo has them: family, socket address

_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


async def targets(
    host: str, port: int, options: Common, watch: Stopwatch, kind: socket.SocketKind = socket.SOCK_STREAM
) -> list[Target]:
    """Where to connect to, in the order in which it is to be tried; Sick if the name leads nowhere."""
    if options.via:
        watch.begin("way")
        host, port = await target_via(options.via, port, host, options.source, kind)
    literal = _literal(host.strip("[]"))
    if literal:
        family, (text, _, *scope) = literal
        if options.family not in (socket.AF_UNSPEC, family):
            raise Sick(f"it has no {_FAMILIES[options.family]} address")
        return [(family, (text, port, *scope))]
    watch.begin("resolve")
    try:
        return await resolve(host, port, options.family)
    except OSError as error:
        raise sick(error) from None
    except UnicodeError:
        raise Sick("name unknown") from None


def open_socket(
    family: socket.AddressFamily, kind: socket.SocketKind, options: Common, protocol: int = 0
) -> socket.socket:
    """A socket that does not block, on the way that the options ask for; Sick."""
    try:
        opened = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    except OSError as error:
        raise sick(error) from None
    if not (options.interface or options.mark or options.source or options.via):
        return opened
    try:
        if options.via:
            prepare(opened)
            return opened
        if options.interface:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options.interface.encode())
        if options.mark:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, options.mark)
        if options.source:
            opened.bind((options.source, 0))
    except OSError as error:
        opened.close()
        raise _refused(error, options) from None
    return opened


def _refused(error: OSError, options: Common) -> Sick:
    if error.errno == errno.ENODEV:
        return Sick(f"there is no interface {options.interface}")
    if error.errno == errno.EPERM:
        return Sick("--interface and --mark need CAP_NET_RAW and CAP_NET_ADMIN")
    if error.errno == errno.EADDRNOTAVAIL:
        return Sick(f"{options.source} is no address of this machine")
    return sick(error)


@lru_cache(maxsize=1 << 16)
def _literal(host: str) -> tuple[socket.AddressFamily, tuple[Any, ...]] | None:
    """Family and socket address of an address in digits; None for a name. Asks nobody."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, flags=socket.AI_NUMERICHOST)[0]
    except (OSError, UnicodeError):
        return None
    return family, address
