# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers that monitors look at: port 80 of every address of `lo`, one process that costs next to nothing.

Whoever connects is answered and left. At its end (SIGTERM) it prints a line of JSON: for every visit but an address's
first its moment (CLOCK_MONOTONIC), and how many seconds ago the last one was.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import time

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
_PATIENCE = 0.2  # seconds until the end is looked for


def main() -> None:
    """Serve until SIGTERM."""
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    listener = socket.create_server(("", 80), backlog=4096)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    open_ones: dict[int, socket.socket] = {}
    last: dict[str, float] = {}
    gaps: list[tuple[float, float]] = []
    print("ready", flush=True)
    while not over:
        for number, _ in poll.poll(_PATIENCE):
            if number == listener.fileno():
                _welcome(listener, poll, open_ones, last, gaps)
            else:
                _answer(open_ones.pop(number))
    print(json.dumps(gaps), flush=True)


def _welcome(
    listener: socket.socket,
    poll: select.epoll,
    open_ones: dict[int, socket.socket],
    last: dict[str, float],
    gaps: list[tuple[float, float]],
) -> None:
    """Take in whoever waits, and note how long ago that address was visited."""
    while True:
        try:
            visitor, _ = listener.accept()
        except BlockingIOError:
            return
        address, now = visitor.getsockname()[0], time.monotonic()
        if address in last:
            gaps.append((round(now, 3), round(now - last[address], 4)))
        last[address] = now
        open_ones[visitor.fileno()] = visitor
        poll.register(visitor, select.EPOLLIN)


def _answer(visitor: socket.socket) -> None:
    with visitor:
        try:
            if visitor.recv(65536):
                visitor.sendall(_ANSWER)
        except OSError:  # it has gone
            return


if __name__ == "__main__":
    main()
