# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that speaks first: `python tests/lab/talker.py PORT...`.

To each connection it says GREETING; then it does what lines tell it:

    hello       says hello
    client      the client's address and port as accept() gave them
    window      the window that the client offers
    get N       N bytes (bpvs.lab.webserver.blocks)
    put N       reads N bytes; their SHA-256
"""

from __future__ import annotations

import hashlib
import selectors
import socket
import struct
import sys
import threading

from bpvs.lab.webserver import blocks, client_text

GREETING = b"welcome\n"
SACK_AND_SCALE = 2 | 4  # TCPI_OPT_SACK, TCPI_OPT_WSCALE
_OPTIONS_AT, _WINDOW_AT = 5, 228  # in struct tcp_info of include/uapi/linux/tcp.h: tcpi_options, tcpi_snd_wnd


def main(ports: list[str]) -> None:
    """Serves until killed, IPv4 and IPv6; prints "ready" once all ports listen."""
    chosen = selectors.DefaultSelector()
    for port in ports:
        one = socket.create_server(("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)  # while net.ipv4.tcp_fastopen has 2
        chosen.register(one, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in chosen.select():
            connection, address = key.fileobj.accept()  # type: ignore[union-attr]
            threading.Thread(target=_serve, args=(connection, client_text(address)), daemon=True).start()


def _serve(connection: socket.socket, client: str) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(GREETING)
            for line in lines:
                words = line.decode().split()
                size = int(words[1]) if len(words) > 1 else 0
                if words[0] == "get":
                    for block in blocks(size):
                        connection.sendall(block)
                elif words[0] == "put":
                    connection.sendall(hashlib.sha256(lines.read(size)).hexdigest().encode() + b"\n")
                elif words[0] == "window":
                    connection.sendall(b"%d\n" % offered_window(connection))
                else:
                    connection.sendall((client if words[0] == "client" else "hello").encode() + b"\n")
    except OSError:
        return


def offered_window(connection: socket.socket) -> int:
    """What the other side offers at most, in bytes."""
    found: int = struct.unpack_from("=I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232), _WINDOW_AT)[
        0
    ]
    return found


def negotiated(connection: socket.socket) -> int:
    """The TCPI_OPT_* of a connection."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)[_OPTIONS_AT]


if __name__ == "__main__":
    main(sys.argv[1:])
