# SPDX-License-Identifier: GPL-2.0-or-later
"""The little of rtnetlink that BPVS needs, without a library: it sits on the start-up path of `ipvsadm`.

Layouts: include/uapi/linux/netlink.h and rtnetlink.h, all in host byte order.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

# The C module below socket: importing socket itself costs milliseconds of enum building on every ipvsadm run.
from _socket import AF_NETLINK, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW, socket
from collections.abc import Iterator

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds too

if TYPE_CHECKING:
    from typing import Self

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_DUMP = 0x300
NLM_F_DUMP_INTR = 0x10
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLA_TYPE_MASK = 0x3FFF
SOL_NETLINK = 270
NETLINK_GET_STRICT_CHK = 12

_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_BYTES = 1 << 16
_DUMP_ATTEMPTS = 5


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to 4 bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in `data` by type; of a repeated type the last one."""
    found: dict[int, bytes] = {}
    head = _ATTRIBUTE.size
    offset, last = 0, len(data) - head
    while offset <= last:
        size, kind = _ATTRIBUTE.unpack_from(data, offset)
        if size < head:
            break
        found[kind & NLA_TYPE_MASK] = data[offset + head : offset + size]
        offset += (size + 3) & ~3
    return found


def number(payload: bytes | None) -> int:
    """An unsigned attribute of any width; 0 when it is absent."""
    return int.from_bytes(payload, sys.byteorder) if payload else 0


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, flags, payload) of each message in one datagram."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        size, kind, flags, _sequence, _port = _HEADER.unpack_from(data, offset)
        if size < _HEADER.size:
            return
        yield kind, flags, data[offset + _HEADER.size : offset + size]
        offset += (size + 3) & ~3


class RouteSocket:
    """One rtnetlink socket in the network namespace of the calling thread; a context manager."""

    def __init__(self) -> None:
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def ask(self, kind: int, payload: bytes) -> bytes:
        """The payload of the single answer to a request; OSError with the kernel's errno if it refuses."""
        self._send(kind, NLM_F_REQUEST, payload)
        answer = self._socket.recv(_RECEIVE_BYTES)
        if len(answer) < _HEADER.size:
            raise OSError(errno.EIO, "rtnetlink gave an empty answer")
        size, what, _flags, _sequence, _port = _HEADER.unpack_from(answer)
        body = answer[_HEADER.size : size]
        _raise_error(what, body)
        return body

    def change(self, kind: int, flags: int, payload: bytes) -> None:
        """Have the kernel do what a request says; `flags`: NLM_F_CREATE and the like. OSError if it refuses."""
        self._send(kind, NLM_F_REQUEST | NLM_F_ACK | flags, payload)
        for answer, _flags, body in messages(self._socket.recv(_RECEIVE_BYTES)):
            _raise_error(answer, body)

    def dump(self, kind: int, payload: bytes) -> list[bytes]:
        """The payloads of a whole dump, read again when the kernel says that it changed meanwhile."""
        for _ in range(_DUMP_ATTEMPTS):
            bodies = self._dump_once(kind, payload)
            if bodies is not None:
                return bodies
        raise OSError(errno.EINTR, f"the kernel's list changed during each of {_DUMP_ATTEMPTS} readings")

    def _dump_once(self, kind: int, payload: bytes) -> list[bytes] | None:
        self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, payload)
        bodies: list[bytes] = []
        interrupted = False
        while True:
            for answer, flags, body in messages(self._socket.recv(_RECEIVE_BYTES)):
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if answer == NLMSG_DONE:
                    return None if interrupted else bodies
                _raise_error(answer, body)
                bodies.append(body)

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(payload), kind, flags, self._sequence, 0) + payload)


def _raise_error(kind: int, body: bytes) -> None:
    if kind == NLMSG_ERROR:
        code = -struct.unpack_from("=i", body)[0]
        if code:
            raise OSError(code, os.strerror(code))
