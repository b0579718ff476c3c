# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames as they come in and go out at the machines of a lab, through AF_PACKET sockets (packet(7))."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bpvs.lab.headers import Frame, read_frame
from bpvs.lab.host import Host
from bpvs.net.links import links

_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("=qq")
_BUFFER_BYTES = 4 << 20
_HEADER_BYTES = 256


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame seen at a machine; `place` is its name in the network and "in" or "out"."""

    at_ns: int
    place: str
    frame: Frame


class Capture:
    """Listens at the named machines of a network from the beginning of a `with` block on.

    `lo` and BPVS's own siding are left out: what passes there has come in or will go out elsewhere.
    """

    def __init__(self, hosts: dict[str, Host]) -> None:
        self._hosts = hosts
        self._stack = ExitStack()
        self._taps: list[tuple[str, socket.socket]] = []

    def __enter__(self) -> Self:
        with self._stack:
            for name, host in self._hosts.items():
                with host.inside():
                    for link in links():
                        if link.kind == "veth" and not link.is_siding:
                            self._taps.append((name, self._stack.enter_context(_tap(link.name))))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def sightings(self) -> list[Sighting]:
        """The IP frames since the last call, in the order of their times."""
        return sorted((one for tap in self._taps for one in _read(*tap)), key=lambda sighting: sighting.at_ns)


def _tap(interface: str) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    tap.bind((interface, _ETH_P_ALL))
    tap.setblocking(False)
    return tap


def _read(name: str, tap: socket.socket) -> list[Sighting]:
    found: list[Sighting] = []
    while True:
        try:
            data, ancillary, _flags, address = tap.recvmsg(_HEADER_BYTES, socket.CMSG_SPACE(_TIMESPEC.size))
        except BlockingIOError:
            return found
        frame = read_frame(data)
        if frame:
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            way = "out" if address[2] == _PACKET_OUTGOING else "in"
            found.append(Sighting(seconds * 10**9 + nanoseconds, f"{name} {way}", frame))
