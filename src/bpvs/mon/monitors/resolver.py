# SPDX-License-Identifier: GPL-2.0-or-later
"""Names to addresses by the system's resolver, which blocks: in threads that nobody waits for.

Those of an executor are waited for at the end of the process, which silent name servers would put off by half a minute.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from typing import Any

Found = list[tuple[socket.AddressFamily, tuple[Any, ...]]]  # family, socket address
_Question = tuple[asyncio.AbstractEventLoop, asyncio.Future[Found], str, int, socket.AddressFamily]

_THREADS = 32  # name servers that are silent hold up as many names


async def resolve(host: str, port: int, family: socket.AddressFamily) -> Found:
    """As getaddrinfo(3) has them; OSError, or UnicodeError for what can be no name."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()
    _resolver().ask((loop, answer, host, port, family))
    return await answer


class _Resolver:
    """Threads that are started when they are needed, and stay."""

    def __init__(self) -> None:
        self._questions: SimpleQueue[_Question] = SimpleQueue()
        self._started = 0

    def ask(self, question: _Question) -> None:
        self._questions.put(question)
        if self._started < _THREADS:
            self._started += 1
            threading.Thread(target=self._work, name="resolve", daemon=True).start()

    def _work(self) -> None:
        while True:
            loop, answer, host, port, family = self._questions.get()
            if answer.done():  # its deadline is over
                continue
            settle: Any = answer.set_result
            found: Any
            try:
                found = [(kind, at) for kind, *_, at in socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)]
            except (OSError, UnicodeError) as error:
                settle, found = answer.set_exception, error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(_settle, answer, settle, found)


def _settle(answer: asyncio.Future[Found], settle: Any, found: Any) -> None:
    if not answer.done():
        settle(found)


@cache
def _resolver() -> _Resolver:
    return _Resolver()
