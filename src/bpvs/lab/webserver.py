# SPDX-License-Identifier: GPL-2.0-or-later
"""A small web server for labs: `python -m bpvs.lab.webserver PORT ANSWER`, prints "ready" once it listens.

Answers on IPv4 and IPv6, HTTP/1.1 with keep-alive, one thread per connection:

    /           ANSWER
    /client     the address and port that the server sees the client under
    /size/N     N bytes that are the same on every server; their SHA-256 is what `checksum(N)` says
    PUT, POST   the SHA-256 and the length of the body that arrived
"""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 1 << 16
_PATTERN = hashlib.shake_128(b"bpvs").digest(BLOCK_BYTES - 8)
_BACKLOG = 1024


def blocks(size: int) -> Iterator[bytes]:
    """`size` bytes in pieces; each begins with its own number, so a lost or doubled piece changes the checksum."""
    for number in range(-(-size // BLOCK_BYTES)):
        block = number.to_bytes(8, "big") + _PATTERN
        yield block[: size - number * BLOCK_BYTES]


def checksum(size: int) -> str:
    """The SHA-256 of the body of /size/N, in hexadecimal."""
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()


def client_text(address: tuple[object, ...]) -> str:
    """Address and port with a blank between; an IPv4 client of an IPv6 socket in its own notation."""
    return f"{str(address[0]).removeprefix('::ffff:')} {address[1]}"


def main(arguments: list[str]) -> int:
    """Serve until killed; OSError if the port is taken."""
    port, answer = int(arguments[0]), arguments[1]
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    else:
        listener = socket.create_server(("", port), backlog=_BACKLOG)
    print("ready", flush=True)
    while True:
        connection, address = listener.accept()
        threading.Thread(target=_serve, args=(connection, address, answer), daemon=True).start()


def _serve(connection: socket.socket, address: tuple[object, ...], answer: str) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        try:
            while _one_request(connection, lines, address, answer):
                pass
        except OSError:
            return


def _one_request(connection: socket.socket, lines: BinaryIO, address: tuple[object, ...], answer: str) -> bool:
    """Reads a request and answers it; False when the client has no more to say."""
    words = lines.readline().decode("latin-1").split()
    if len(words) != 3:
        return False
    method, target, _version = words
    path = target.partition("?")[0]
    headers = _headers(lines)
    goes_on = headers.get("connection", "").lower() != "close"
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if method in ("PUT", "POST"):
        _respond(connection, f"{_received(lines, int(headers['content-length']))}\n".encode(), goes_on)
    elif path.startswith("/size/"):
        size = int(path.removeprefix("/size/"))
        connection.sendall(_head("200 OK", size, goes_on))
        for block in blocks(size):
            connection.sendall(block)
    elif path == "/client":
        _respond(connection, f"{client_text(address)}\n".encode(), goes_on)
    elif path == "/":
        _respond(connection, f"{answer}\n".encode(), goes_on)
    else:
        _respond(connection, b"there are /, /client and /size/N\n", goes_on, "404 Not Found")
    return goes_on


def _headers(lines: BinaryIO) -> dict[str, str]:
    found = {}
    while (line := lines.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        found[name.lower()] = value.strip()
    return found


def _received(lines: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    left = size
    while left:
        piece = lines.read(min(left, BLOCK_BYTES))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    return f"{digest.hexdigest()} {size - left}"


def _head(status: str, size: int, goes_on: bool) -> bytes:
    ending = "" if goes_on else "Connection: close\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n{ending}\r\n".encode()


def _respond(connection: socket.socket, body: bytes, goes_on: bool, status: str = "200 OK") -> None:
    connection.sendall(_head(status, len(body), goes_on) + body)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
