# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients on TCP: lines in, answers out, and limits that keep any one of them from harming the others.

A line is at most 64 KiB; a client that sends none for `timeout` seconds, or takes no answer for as long, is dropped.
When all places are taken, the one idle longest of those not logged in makes room.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpvs.mon.protocol.session import Session, answer
from bpvs.text.mon.escape import decode, encode
from bpvs.text.mon.settings import client_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

    from bpvs.mon.protocol.office import Office
    from bpvs.mon.protocol.reply import Reply

LONGEST_LINE = 64 * 1024
MOST_CLIENTS = 512
MOST_OF_ADDRESS = 64
DEFAULT_TIMEOUT = 30.0
_CHUNK = 32 * 1024  # of an answer, made and sent at a time
_MOST_UNSENT = 256 * 1024  # waiting in memory for a client to read

_TOO_LONG = f"520 line too long: at most {LONGEST_LINE} bytes\n".encode()
_TOO_MANY = b"520 too many clients\n"


def allows(patterns: Sequence[str] | None) -> Callable[[str], bool]:
    """The test of `clientallow`."""
    if patterns is None:
        return _anybody
    compiled = [client_pattern(pattern) for pattern in patterns]
    return lambda address: any(pattern.fullmatch(address) for pattern in compiled)


def _anybody(_address: str) -> bool:
    return True


@dataclass(slots=True, eq=False)
class _Client:
    session: Session
    writer: asyncio.StreamWriter
    task: asyncio.Task[None]
    heard: float = field(default_factory=time.monotonic)


class Server:
    """Serves clients of `sockets`, which listen, until `close()`.

    timeout: seconds of silence after which a client is dropped (`cltimeout`); it and `allowed` may change at any time
    """

    def __init__(
        self, office: Office, *, timeout: float = DEFAULT_TIMEOUT, allowed: Callable[[str], bool] = _anybody
    ) -> None:
        self.timeout = timeout
        self.allowed = allowed
        self._office = office
        self._clients: set[_Client] = set()
        self._servers: list[asyncio.Server] = []

    async def start(self, sockets: Sequence[socket]) -> None:
        """Listen; the sockets are this server's from now on."""
        for one in sockets:
            self._servers.append(await asyncio.start_server(self._serve, sock=one, limit=LONGEST_LINE, backlog=512))

    async def close(self) -> None:
        """Hang up, on clients too; what is in their sockets already reaches them."""
        for server in self._servers:
            server.close()
        tasks = [client.task for client in self._clients]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # gone already
            writer.transport.abort()
            return
        address, port = peer[:2]
        if not self.allowed(address):
            self._office.log("notice", f"closing unwanted client {address}")
            writer.transport.abort()
            return
        if not self._has_room(address):
            writer.write(_TOO_MANY)
            writer.close()
            return
        self._office.log("debug", f"client connection from {address}:{port}")
        writer.transport.set_write_buffer_limits(high=_MOST_UNSENT)
        task = asyncio.current_task()
        assert task is not None
        client = _Client(Session(self._office, address), writer, task)
        self._clients.add(client)
        try:
            await self._converse(client, reader)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            # close() cancels; asyncio 3.11 takes a connection's task that ends so for a fault.
            writer.transport.abort()
        finally:
            self._clients.discard(client)
            writer.close()

    async def _converse(self, client: _Client, reader: asyncio.StreamReader) -> None:
        while not client.session.is_over:
            try:
                async with asyncio.timeout(self.timeout):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return  # an unfinished line is no command
            except asyncio.LimitOverrunError:
                client.writer.write(_TOO_LONG)
                return
            client.heard = time.monotonic()
            reply = await answer(client.session, decode(line).rstrip("\r\n"))
            await self._send(client.writer, reply)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        """A long listing is made as far as the client reads it, and others get their turn in between."""
        chunk: list[bytes] = []
        size = 0
        for line in reply.lines:
            chunk.append(encode(line))
            size += len(chunk[-1])
            if size >= _CHUNK:
                await self._write(writer, chunk)
                chunk, size = [], 0
        chunk.append(encode(reply.final))
        await self._write(writer, chunk)

    async def _write(self, writer: asyncio.StreamWriter, lines: list[bytes]) -> None:
        writer.write(b"\n".join(lines) + b"\n")
        async with asyncio.timeout(self.timeout):
            await writer.drain()
        await asyncio.sleep(0)  # drain() alone does not let anybody else in

    def _has_room(self, address: str) -> bool:
        if sum(client.session.address == address for client in self._clients) >= MOST_OF_ADDRESS:
            return False
        if len(self._clients) < MOST_CLIENTS:
            return True
        guests = [client for client in self._clients if client.session.user is None]
        if not guests:
            return False
        oldest = min(guests, key=lambda client: client.heard)
        self._clients.discard(oldest)
        oldest.writer.transport.abort()
        return True
