# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket at which a daemon tells its health: abstract (unix(7)), one for each network namespace and server port.

A client sends a line, `snapshot`, and gets one JSON document in a line; then it may ask again. Root and the daemon's
own user are answered, nobody else.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.core.values import Moment
from bpvs.mon.health.snapshot import head, service_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpvs.mon.health.snapshot import HealthView

REQUEST = b"snapshot"
_CLIENTS = 16  # at once; more are turned away
_PATIENCE = 60.0  # seconds in which a client asks, or takes what it asked for
_SLICE = 100  # services between two turns of the loop
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


def address(port: int) -> str:
    """The socket's name for the daemon whose clients use this TCP port."""
    return f"\0bpvs-mon:{port}"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, as the kernel knows them (SO_PEERCRED)."""
    pid, uid, _gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid


async def serve_health(view: HealthView, port: int) -> asyncio.Server:
    """Begins to answer; the caller closes the server. OSError if another process has the name."""
    return await asyncio.start_unix_server(_Desk(view).serve, address(port), limit=1024, backlog=_CLIENTS)


class _Desk:
    def __init__(self, view: HealthView) -> None:
        self._view = view
        self._clients = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it has no more to ask, is too slow, or asks nonsense."""
        self._clients += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                _pid, uid = peer(writer.get_extra_info("socket"))
                if uid not in (0, os.geteuid()):
                    writer.write(_line({"error": "only root and the user of mon are told"}))
                elif self._clients > _CLIENTS:
                    writer.write(_line({"error": "too many ask at once"}))
                else:
                    await self._answer(reader, writer)
                await writer.drain()
        except (OSError, ValueError, TimeoutError):  # gone, a line without end, or asleep
            writer.transport.abort()
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await reader.readline()) != b"":
            if line.strip() != REQUEST:
                writer.write(_line({"error": f"there is only {REQUEST.decode()}"}))
                return
            for piece in self._pieces():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)  # ten thousand services take a while, and monitors are due meanwhile

    def _pieces(self) -> Iterator[bytes]:
        now, engine = Moment.now(), self._view.engine
        try:
            begun = json.dumps(head(self._view, now))
        except BpvsError as error:
            yield _line({"error": str(error)})
            return
        yield f'{begun[:-1]}, "services": ['.encode()
        keys = list(engine.states)
        for start in range(0, len(keys), _SLICE):
            # A reset may have changed what there is.
            known = [key for key in keys[start : start + _SLICE] if key in engine.states]
            documents = [json.dumps(service_document(engine, key, now)) for key in known]
            yield ((", " if start and documents else "") + ", ".join(documents)).encode()
        yield b"]}\n"


def _line(document: dict[str, str]) -> bytes:
    return json.dumps(document).encode() + b"\n"
