# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP echoes (RFC 792, RFC 4443) to many hosts by one socket of each family."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from bpvs.mon.monitors.reach import open_socket
from bpvs.mon.monitors.verdict import Sick, sick

if TYPE_CHECKING:
    from types import TracebackType

    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.reach import Target

_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PAYLOAD = 48  # bytes; makes 56 with the header, as ping(8) has it
_ICMP_FILTER = 1  # linux/icmp.h: of SOL_RAW, a bit for each type that is not wanted
_SOL_RAW = 255


class Echoes:
    """Sends echoes and tells how long their replies took. A `with` block closes the sockets."""

    def __init__(self, options: Common) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._token = os.urandom(_PAYLOAD)  # by which our replies are known among those of other processes
        self._sockets: dict[int, socket.socket] = {}
        self._awaited: dict[tuple[int, str], asyncio.Future[float]] = {}  # by sequence and address
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for opened in self._sockets.values():
            self._loop.remove_reader(opened)
            opened.close()

    async def echo(self, target: Target, seconds: float) -> float | None:
        """The seconds until the reply to one echo came; None if none came in time. Sick if it cannot be sent."""
        family, address = target
        opened = self._sockets.get(family) or self._open(family)
        self._sequence = (self._sequence + 1) & 0xFFFF
        key = self._sequence, str(address[0])
        reply: asyncio.Future[float] = self._loop.create_future()
        self._awaited[key] = reply
        try:
            began = monotonic()
            opened.sendto(self._request(family), (address[0], 0, *address[2:]))
            self._take(family, opened)  # a thousand replies at once would not fit into the socket's buffer
            async with asyncio.timeout(seconds):
                return await reply - began
        except TimeoutError:
            return None
        except OSError as error:
            raise sick(error) from None
        finally:
            del self._awaited[key]

    def _open(self, family: socket.AddressFamily) -> socket.socket:
        """As everybody may if net.ipv4.ping_group_range says so; else as root may."""
        try:
            opened = open_socket(family, socket.SOCK_DGRAM, self._options, _PROTOCOL[family])
        except Sick:
            try:
                opened = open_socket(family, socket.SOCK_RAW, self._options, _PROTOCOL[family])
            except Sick as error:
                raise Sick(f"{error}: ICMP wants net.ipv4.ping_group_range or CAP_NET_RAW") from None
            if family == socket.AF_INET:
                opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~(1 << _REPLY[family]) & 0xFFFFFFFF))
        self._sockets[family] = opened
        self._loop.add_reader(opened, self._take, family, opened)
        return opened

    def _request(self, family: socket.AddressFamily) -> bytes:
        """The kernel writes the checksum, but for raw sockets of IPv4."""
        bare = _HEADER.pack(_REQUEST[family], 0, 0, os.getpid() & 0xFFFF, self._sequence) + self._token
        return bare[:2] + struct.pack("!H", _checksum(bare)) + bare[4:]

    def _take(self, family: socket.AddressFamily, opened: socket.socket) -> None:
        with suppress(OSError):  # nothing more to take; or an error of a datagram, which the deadline tells
            while True:
                self._match(family, opened.type, *opened.recvfrom(2048))

    def _match(self, family: socket.AddressFamily, kind: int, data: bytes, address: tuple[Any, ...]) -> None:
        if family == socket.AF_INET and kind == socket.SOCK_RAW:
            data = data[(data[0] & 0xF) * 4 :]
        if len(data) < _HEADER.size or data[_HEADER.size :] != self._token:
            return
        type_, _, _, _, sequence = _HEADER.unpack_from(data)
        reply = self._awaited.get((sequence, address[0]))
        if type_ == _REPLY[family] and reply and not reply.done():
            reply.set_result(monotonic())


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
