# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP to a host: questions are asked again while no answer comes, because datagrams get lost."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Self, TypeVar

from bpvs.mon.monitors.reach import open_socket, targets
from bpvs.mon.monitors.verdict import Sick, sick

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.verdict import Stopwatch

T = TypeVar("T")
_LARGEST = 1 << 16  # bytes


async def open_datagram(host: str, port: int, options: Common, watch: Stopwatch) -> Datagram:
    """A socket for the first address of the host to which there is a route; only the host can answer on it. Sick."""
    failure = Sick("name unknown")
    for family, address in await targets(host, port, options, watch, socket.SOCK_DGRAM):
        opened = open_socket(family, socket.SOCK_DGRAM, options)
        try:
            opened.connect(address)
        except OSError as error:
            opened.close()
            failure = _sick(error)
        else:
            return Datagram(opened)
    raise failure


class Datagram:
    """Datagrams to and from a host. A `with` block closes it; Sick if the host says that nobody listens."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        """One datagram."""
        try:
            await self._loop.sock_sendall(self.socket, data)
        except OSError as error:
            raise _sick(error) from None

    async def receive(self) -> bytes:
        """The next datagram."""
        try:
            return await self._loop.sock_recv(self.socket, _LARGEST)
        except OSError as error:
            raise _sick(error) from None

    async def ask(self, data: bytes, accept: Callable[[bytes], T | None], every: float, times: int = 0) -> T:
        """Sends until something comes that `accept` makes a value of, every so many seconds, so many times at most.

        Without a number of times it goes on until the check's deadline. What `accept` gives None for is passed over.
        """
        asked = 0
        while not times or asked < times:
            await self.send(data)
            asked += 1
            try:
                async with asyncio.timeout(every):
                    while (found := accept(await self.receive())) is None:
                        pass
                    return found
            except TimeoutError:
                continue
        often = "once" if times == 1 else f"{times} times"
        raise Sick(f"no answer, asked {often} in {every * times:g} s")


def _sick(error: OSError) -> Sick:
    """A connected UDP socket gets the ICMP errors of its datagrams."""
    return Sick("port unreachable: nobody listens") if error.errno == errno.ECONNREFUSED else sick(error)
