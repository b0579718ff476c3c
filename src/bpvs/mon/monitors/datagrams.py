# SPDX-License-Identifier: GPL-2.0-or-later
"""A question in a datagram, asked again until there is an answer."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from bpvs.mon.monitors.reach import open_socket, targets
from bpvs.mon.monitors.verdict import sick

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST = 1 << 16


class Datagrams:
    """A connected UDP socket, which a `with` block closes: only the host's datagrams arrive, and its refusals."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    async def ask(self, question: bytes, pauses: Iterable[float]) -> bytes:
        """The next datagram; the question is sent, and again after each pause (seconds) without one. Sick.

        After the last pause the answer is waited for as long as the check may take.
        """
        try:
            for pause in pauses:
                await self._loop.sock_sendall(self.socket, question)
                try:
                    async with asyncio.timeout(pause):
                        return await self.more()
                except TimeoutError:
                    continue
            await self._loop.sock_sendall(self.socket, question)
        except OSError as error:
            raise sick(error) from None
        return await self.more()

    async def more(self) -> bytes:
        """Another datagram, without asking again; Sick."""
        try:
            return await self._loop.sock_recv(self.socket, _LONGEST)
        except OSError as error:
            raise sick(error) from None


async def reach(host: str, port: int, options: Common, watch: Stopwatch) -> Datagrams:
    """The way to the first address of the host; Sick."""
    family, address = (await targets(host, port, options, watch, socket.SOCK_DGRAM))[0]
    connection = open_socket(family, socket.SOCK_DGRAM, options)
    try:
        connection.connect(address)
    except OSError as error:
        connection.close()
        raise sick(error) from None
    return Datagrams(connection)
