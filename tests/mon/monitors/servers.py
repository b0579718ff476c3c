# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers for monitors to look at, healthy and sick: a thread per connection runs what the test hands over."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bpvs.mon.monitors.registry import find

if TYPE_CHECKING:
    import ssl

    from bpvs.mon.monitors.report import HostReport

# Talks to one client; the connection is closed when it returns.
Serve = Callable[[socket.socket], None]

_LONG = 30.0  # seconds: no server waits longer for a client that does not come


@contextmanager
def serving(
    serve: Serve, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[int]:
    """The port of a server."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=1024) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, serve, tls))
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(_LONG)


def _accept(listener: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
    talks = []
    with suppress(OSError):  # the listener's end
        while True:
            connection, _ = listener.accept()
            talks.append(threading.Thread(target=_talk, args=(connection, serve, tls)))
            talks[-1].start()
    for talk in talks:
        talk.join(_LONG)


def _talk(connection: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
    connection.settimeout(_LONG)
    with suppress(OSError), connection:  # the client may go whenever it likes
        if tls:
            with tls.wrap_socket(connection, server_side=True) as secured:
                serve(secured)
        else:
            serve(connection)


@contextmanager
def refusing() -> Iterator[int]:
    """A port on which nobody listens, and nobody else can meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def hang(connection: socket.socket) -> None:
    """Reads and says nothing, until the client goes."""
    while connection.recv(4096):
        pass


def close(connection: socket.socket) -> None:
    """Ends the conversation at once."""


def answering(answer: bytes, then: Serve = close) -> Serve:
    """Reads a request and gives an answer."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)
        then(connection)

    return serve


def greeting(words: bytes, then: Serve = close) -> Serve:
    """Speaks first."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(words)
        then(connection)

    return serve


def dripping(answer: bytes, seconds: float = 0.05) -> Serve:
    """Sends a byte at a time, until the client goes or all is said."""

    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        gone = threading.Event()
        for at in range(len(answer)):
            connection.sendall(answer[at : at + 1])
            gone.wait(seconds)

    return serve


def check(monitor: str, arguments: str | Sequence[str], *hosts: str) -> list[HostReport]:
    """The reports of a built-in monitor for these hosts (127.0.0.1 if none are given)."""
    run = find(monitor)
    assert run, f"there is no {monitor}"
    words = arguments.split() if isinstance(arguments, str) else arguments

    async def once() -> list[HostReport]:
        return await run(words, hosts or ("127.0.0.1",), {})

    return asyncio.run(once())
