#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Processor time of a built-in check, alone: a server in another process, hosts on loopback, a hundred at a time."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NoReturn

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from bpvs.mon.monitors.registry import find

if TYPE_CHECKING:
    from bpvs.mon.monitors.registry import Monitor

One = Callable[[str], Awaitable[None]]  # checks a host

AT_ONCE = 100
_HEAD = b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nConnection: close\r\n"
PAGE = _HEAD + b"Content-Length: 6\r\n\r\nhello\n"
CHUNKS = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n0\r\n\r\n"
BUDGET_US = 400.0  # of one core for 10,000 checks every 5 s, with what the daemon does around them


@dataclass(frozen=True, slots=True)
class Cost:
    """One kind of check; microseconds each of the checking process: in Python, and in the kernel.

    On loopback the kernel does the server's half of the connection in the client's time too.
    """

    name: str
    user_us: float
    system_us: float


def measure(rounds: int) -> Iterator[Cost]:
    """`rounds` batches of each kind; the median batch."""
    with server(PAGE) as port:
        yield Cost("system calls alone", *asyncio.run(_batches(_bare(port), rounds)))
    for name, monitor, arguments, answer in (
        ("tcp.monitor", "tcp.monitor", ["-p", "{}"], PAGE),
        ("http.monitor", "http.monitor", ["-p", "{}", "-o"], PAGE),
        ("http.monitor, chunks", "http.monitor", ["-p", "{}", "-o"], CHUNKS),
    ):
        with server(answer) as port:
            words = [word.format(port) for word in arguments]
            check = find(monitor)
            assert check
            yield Cost(name, *asyncio.run(_batches(partial(_check, check, words), rounds)))


def _bare(port: int) -> One:
    """What no client can do without, as the floor."""

    async def one(host: str) -> None:
        with socket.create_connection((host, port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            while connection.recv(1 << 16):
                pass

    return one


async def _check(check: Monitor, words: Sequence[str], host: str) -> None:
    (report,) = await check(words, [host], {})
    if not report.is_ok:
        raise RuntimeError(str(report))


async def _batches(one: One, rounds: int) -> tuple[float, float]:
    hosts = [f"127.0.1.{number + 1}" for number in range(AT_ONCE)]
    costs = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*map(one, hosts))
        after = resource.getrusage(resource.RUSAGE_SELF)
        costs.append((after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime))
    user, system = (median(column) / AT_ONCE * 1e6 for column in zip(*costs, strict=True))
    return user, system


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """The port of a process that gives everybody the same answer and closes."""
    with socket.create_server(("", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        child = os.fork()
        if not child:
            _serve(listener, answer)
    try:
        yield port
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _serve(listener: socket.socket, answer: bytes) -> NoReturn:
    """Until it is killed; a loop without asyncio, to take as little of the machine as it can."""
    listener.setblocking(False)
    waiting = select.epoll()
    waiting.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for number, _ in waiting.poll():
            if number == listener.fileno():
                with suppress(BlockingIOError):
                    client, _ = listener.accept()
                    clients[client.fileno()] = client
                    waiting.register(client, select.EPOLLIN)
            else:
                with clients.pop(number) as client, suppress(OSError):
                    if client.recv(4096):
                        client.sendall(answer)


def main() -> int:
    """Print the table."""
    rounds = 5 if os.environ.get("QUICK", "") not in ("", "0") else 50
    print(f"us of processor time a check; 10,000 every 5 s leave {BUDGET_US:g} of one core for it and the daemon")
    for cost in measure(rounds):
        print(f"{cost.name:22} {cost.user_us:5.0f} user {cost.system_us:5.0f} system", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
