# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that ask all the time, and remember what became of each request."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bpvs.lab.host import Host

PATIENCE = 5.0  # seconds that a client waits for an answer: a busy machine stalls for one
_PAUSE = 0.005  # seconds between two requests of a client
_REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """When it began and ended (time.monotonic), and the body of the answer; "" if there was none."""

    begun: float
    ended: float
    answer: str


class Load:
    """So many clients on a host, each with one connection after the other, while the block lasts."""

    def __init__(self, host: Host, address: str, port: int = 80, clients: int = 4) -> None:
        self._host, self._server = host, (address, port)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        self.requests: list[Request] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def failed(self, since: float, until: float = float("inf")) -> int:
        """Requests without an answer that began in this time."""
        return sum(not one.answer for one in self._within(since, until))

    def answers(self, since: float, until: float = float("inf")) -> set[str]:
        """The different answers to requests that began in this time."""
        return {one.answer for one in self._within(since, until)} - {""}

    def count(self, since: float, until: float = float("inf")) -> int:
        """Requests that began in this time and are over."""
        return len(self._within(since, until))

    def _within(self, since: float, until: float) -> list[Request]:
        return [one for one in list(self.requests) if since <= one.begun < until]

    def _run(self) -> None:
        with self._host.inside():
            while not self._over.is_set():
                begun = time.monotonic()
                try:
                    answer = self._ask()
                except OSError:
                    answer = ""
                self.requests.append(Request(begun, time.monotonic(), answer))
                time.sleep(_PAUSE)

    def _ask(self) -> str:
        with socket.create_connection(self._server, PATIENCE) as connection:
            connection.sendall(_REQUEST)
            with connection.makefile("rb") as lines:
                return lines.read().rpartition(b"\r\n\r\n")[2].decode().strip()
