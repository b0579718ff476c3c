# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that follow a script, line by line, and others that are sick in ways that every protocol knows."""

from __future__ import annotations

import re
import socket

from tests.mon.monitors.servers import Serve, close, greeting, hang


def script(text: str) -> Serve:
    """`S: 220 hi` is said; for `C: EHLO .*` the client has to say what fits. Then, or if it does not, nothing more."""

    def serve(connection: socket.socket) -> None:
        recite(connection, text)
        connection.shutdown(socket.SHUT_WR)  # what the client says is not lost: that would reset the connection
        hang(connection)

    return serve


def recite(connection: socket.socket, text: str) -> None:
    """A script's lines, up to the one for which the client says something else."""
    with connection.makefile("rb") as heard:
        for step in text.strip().splitlines():
            who, _, line = step.partition(": ")
            if who == "S":
                connection.sendall(f"{line}\r\n".encode())
            elif not re.fullmatch(line, heard.readline(4096).decode().rstrip("\r\n")):
                return


# How any server of a protocol in which it speaks first can be sick: what it does, the monitor's arguments, and what is
# said of it.
SICK_SPEAKERS: dict[str, tuple[Serve, str, str]] = {
    "closes at once": (close, "", "closed early, without a word"),
    "says half a line": (greeting(b"2"), "", "closed early, after '2'"),
    "never ends its line": (greeting(b"x" * 20_000, hang), "", "a line is longer than 8192 bytes"),
    "says nothing": (hang, "-t 0.4", "no answer within 0.4 s"),
}


def turns(*words: bytes, speaks_first: bool = False) -> Serve:
    """Gives one of its words whenever the client has said something; then nothing more."""

    def serve(connection: socket.socket) -> None:
        for number, word in enumerate(words):
            if (number or not speaks_first) and not connection.recv(1 << 16):
                return
            connection.sendall(word)
        connection.shutdown(socket.SHUT_WR)
        hang(connection)

    return serve
