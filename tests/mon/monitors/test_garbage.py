# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a server says, a monitor ends with a sentence on it, in time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.mon.monitors.servers import check, hang, serving
from tests.mon.monitors.test_stores import AUTH_OK, BIND_OK, DONE, ENTRY, NATIVE, READY, TO_NATIVE

LOGIN = " --username u --password p"
MONITORS = {
    "smtp": "--starttls",
    "pop3": LOGIN,
    "imap": f"{LOGIN} -m box",
    "ftp": LOGIN,
    "nntp": LOGIN,
    "ssh": "",
    "telnet": "",
    "ldap": f"{LOGIN} -verbose",
    "mysql": f"{LOGIN} --database d",
    "postgresql": LOGIN,
    "redis": "--role master",
    "memcached": "",
    "sip": "--tcp",
}
# What servers say when they are well, so that what is odd comes late, too.
SENSE = (
    *(
        b"220 hi\r\n",
        b"250-STARTTLS\r\n250 ok\r\n",
        b"331 more\r\n",
        b"200 ok\r\n",
        b"+OK\r\n",
        b"* OK\r\n",
        b"A1 OK\r\n",
    ),
    *(b"SSH-2.0-x\r\n", b"\xff\xfd\x18\xff\xfa", BIND_OK, ENTRY, DONE, NATIVE, b"\7\0\0\2\0\0\0\2\0\0\0", b"\0\0\0\2"),
    *(b"%c\0\0\2" % len(TO_NATIVE) + TO_NATIVE, AUTH_OK, READY, b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
    *(b"R\0\0\0\x0c\0\0\0\5salt", b"E\0\0\0\x09C28\0\0", b"S\0\0\0\x04", b"$4\r\nrole", b"+PONG\r\n", b"VERSION 1\r\n"),
    b"SIP/2.0 200 OK\r\n\r\n",
)
answers = st.lists(st.sampled_from(SENSE) | st.binary(max_size=40), max_size=6)


class Parrot:
    """Says its words, each at once or after the client has said something, and then nothing more."""

    words: list[bytes] = []  # noqa: RUF012 - set for each example

    def __call__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for word in self.words:
            connection.sendall(word)
        connection.shutdown(socket.SHUT_WR)
        hang(connection)


@contextmanager
def parrot() -> Iterator[tuple[int, Parrot]]:
    serve = Parrot()
    with serving(serve) as port:
        yield port, serve


@pytest.mark.parametrize("monitor", MONITORS)
def test_any_words(monitor: str) -> None:
    with parrot() as (port, server):
        arguments = f"-p {port} -t 20 {MONITORS[monitor]}"

        @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(answers)
        @example([])
        @example([*SENSE[:1], b"\r\n"])
        def property_(words: list[bytes]) -> None:
            server.words = words
            began = time.monotonic()
            (report,) = check(f"{monitor}.monitor", arguments)
            assert report.text
            assert report.text.isprintable()
            assert time.monotonic() - began < 20

        property_()
