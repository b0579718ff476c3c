# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP connection to a host that may be sick: reads are bounded in bytes; the check's deadline bounds the time."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any, Self

from bpvs.mon.monitors.poller import poller
from bpvs.mon.monitors.reach import open_socket, targets
from bpvs.mon.monitors.verdict import Sick, printable, sick

if TYPE_CHECKING:
    import re
    from types import TracebackType

    from bpvs.mon.monitors.options import Common
    from bpvs.mon.monitors.reach import Target
    from bpvs.mon.monitors.verdict import Stopwatch

_PIECE = 1 << 16  # bytes asked of the kernel at once
LONGEST_LINE = 8192


async def connect(host: str, port: int, options: Common, watch: Stopwatch) -> Stream:
    """A connection, begun anew with each address of the host until one accepts; Sick with the last one's reason.

    An address that is silent gets its share of the time and no more, so that the others have their turn.
    """
    found = await targets(host, port, options, watch)
    if len(found) == 1:
        return await _begin(found[0], options, watch)
    failure = Sick("name unknown")
    share = options.timeout / len(found)
    for number, target in enumerate(found, 1):
        try:
            async with asyncio.timeout(share if number < len(found) else None):
                return await _begin(target, options, watch)
        except Sick as error:
            failure = error
        except TimeoutError:
            failure = Sick(f"no answer within {share:g} s")
    raise failure


async def _begin(target: Target, options: Common, watch: Stopwatch) -> Stream:
    family, address = target
    watch.begin("connect")
    stream = Stream(open_socket(family, socket.SOCK_STREAM, options), watch)
    try:
        code = await stream.connect(address)
        if code:
            raise sick(OSError(code, ""))
    except BaseException:  # the deadline and the daemon's end too
        stream.close()
        raise
    return stream


class Stream:
    """Bytes to and from a host. A `with` block closes it; every method raises Sick when the connection breaks."""

    def __init__(self, connection: socket.socket, watch: Stopwatch) -> None:
        self.socket = connection
        self.watch = watch
        self._poller = poller()
        self._kept = bytearray()
        self._tls: _Tls | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """At once, whatever is in the way."""
        self.socket.close()

    async def connect(self, address: tuple[Any, ...]) -> int:
        """Begins with that; the error number."""
        code = self.socket.connect_ex(address)
        self._poller.add(self.socket)
        if code != errno.EINPROGRESS:
            return code
        await self._poller.wait(self.socket)
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

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
        while data:
            try:
                data = data[self.socket.send(data) :]
            except BlockingIOError:
                await self._poller.wait(self.socket)
            except OSError as error:
                raise sick(error) from None

    async def _receive(self) -> bytes:
        while True:
            try:
                return self.socket.recv(_PIECE)
            except BlockingIOError:
                await self._poller.wait(self.socket)
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
    # OpenSSL has no reason for an end that comes between two reads of its buffer.
    if isinstance(error, ssl.SSLEOFError) or error.reason is None:
        return Sick("closed in the middle of TLS")
    reason = error.reason.replace("_", " ").lower()
    return Sick(f"TLS failed: {reason}")
