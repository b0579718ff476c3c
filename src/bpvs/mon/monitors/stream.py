# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP connection to a host that may be sick: reads are bounded in bytes; the check's deadline bounds the time."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Self

from bpvs.mon.monitors.reach import open_socket, targets
from bpvs.mon.monitors.verdict import Sick, printable, sick

if TYPE_CHECKING:
    import re
    from types import TracebackType

    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.verdict import Stopwatch

_PIECE = 1 << 16  # bytes asked of the kernel at once
LONGEST_LINE = 8192


async def connect(host: str, port: int, options: Common, watch: Stopwatch) -> Stream:
    """A connection, begun anew with each address of the host until one accepts; Sick with the last one's reason."""
    loop = asyncio.get_running_loop()
    failure = Sick("name unknown")
    for family, address in await targets(host, port, options, watch):
        watch.begin("connect")
        connection = open_socket(family, socket.SOCK_STREAM, options)
        try:
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            failure = sick(error)
        except BaseException:  # the deadline, or the daemon's end
            connection.close()
            raise
        else:
            return Stream(connection, watch)
    raise failure


class Stream:
    """Bytes to and from a host. A `with` block closes it; every method raises Sick when the connection breaks."""

    def __init__(self, connection: socket.socket, watch: Stopwatch) -> None:
        self.socket = connection
        self.watch = watch
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()
        self._tls: _Tls | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        """Sends all of it."""
        if self._tls:
            self._tls.plain.write(data)
            data = self._tls.outgoing.read()
        await self._send(data)

    async def receive(self) -> bytes:
        """What is there, once something is; nothing at the end."""
        if self._kept:
            kept = bytes(self._kept)
            self._kept.clear()
            return kept
        return await (self._receive_tls(self._tls) if self._tls else self._receive())

    async def line(self, longest: int = LONGEST_LINE) -> bytes:
        """The next line without its end, CRLF or LF."""
        start = 0
        while (at := self._kept.find(b"\n", start)) < 0:
            if len(self._kept) > longest:
                raise Sick(f"a line is longer than {longest} bytes", printable(bytes(self._kept)))
            start = len(self._kept)
            await self._more()
        return self._take(at + 1).rstrip(b"\r\n")

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        while len(self._kept) < size:
            await self._more()
        return self._take(size)

    async def rest(self, longest: int) -> bytes:
        """Everything up to the end of the connection, or the first `longest` bytes."""
        pieces = bytearray()
        while len(pieces) < longest and (piece := await self.receive()):
            pieces += piece
        return bytes(pieces[:longest])

    async def until(self, pattern: re.Pattern[bytes], longest: int) -> re.Match[bytes]:
        """The first match in what arrives, which is taken with all before it, the match's `string`."""
        while not (match := pattern.search(self._kept)):
            if len(self._kept) >= longest:
                raise Sick(f"nothing in {longest} bytes matches", printable(bytes(self._kept)))
            await self._more()
        found = pattern.search(self._take(match.end()))
        assert found
        return found

    async def start_tls(self, context: ssl.SSLContext, name: str | None) -> ssl.SSLObject:
        """Goes on in TLS, as phase `tls`; `name` is asked for (SNI) and checked if the context checks names."""
        if self._kept:
            raise Sick("it sent more before TLS than it should have")
        self.watch.begin("tls")
        try:
            tls = _Tls(context, name)
        except ValueError:  # an empty label, or one that is too long
            raise Sick(f"{name!r} cannot be asked for in TLS") from None
        while True:
            try:
                tls.plain.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._send(tls.outgoing.read())
                tls.feed(await self._receive())
            except ssl.SSLError as error:
                raise _tls_failed(error) from None
        await self._send(tls.outgoing.read())
        self._tls = tls
        return tls.plain

    async def _more(self) -> None:
        piece = await (self._receive_tls(self._tls) if self._tls else self._receive())
        if not piece:
            said = printable(bytes(self._kept))
            raise Sick(f"closed early, after {said!r}" if self._kept else "closed early, without a word")
        self._kept += piece

    def _take(self, size: int) -> bytes:
        taken = bytes(self._kept[:size])
        del self._kept[:size]
        return taken

    async def _send(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self.socket, data)
        except OSError as error:
            raise sick(error) from None

    async def _receive(self) -> bytes:
        try:
            return await self._loop.sock_recv(self.socket, _PIECE)
        except OSError as error:
            raise sick(error) from None

    async def _receive_tls(self, tls: _Tls) -> bytes:
        while True:
            try:
                return tls.plain.read(_PIECE)
            except ssl.SSLWantReadError:
                await self._send(tls.outgoing.read())
                tls.feed(await self._receive())
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise _tls_failed(error) from None


class _Tls:
    """OpenSSL between two buffers."""

    def __init__(self, context: ssl.SSLContext, name: str | None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.plain = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def feed(self, data: bytes) -> None:
        """What came from the host; nothing at its end."""
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()


def _tls_failed(error: ssl.SSLError) -> Sick:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Sick(f"certificate refused: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError):
        return Sick("closed in the middle of TLS")
    reason = (error.reason or "unknown reason").replace("_", " ").lower()
    return Sick(f"TLS failed: {reason}")
