# SPDX-License-Identifier: GPL-2.0-or-later
"""udp.monitor before a socket that answers, one that keeps silent, and none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bpvs.text.errors import UsageError
from tests.mon.monitors.servers import check

Reply = Callable[[bytes, int], bytes | None]  # datagram, its number from 1 -> answer


@contextmanager
def bound(reply: Reply) -> Iterator[int]:
    """The port of a UDP server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_serve, args=(server, reply))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"the end", server.getsockname())
            thread.join(10)


def _serve(server: socket.socket, reply: Reply) -> None:
    number = 0
    while True:
        data, client = server.recvfrom(4096)
        number += 1
        if data == b"the end":
            return
        answer = reply(data, number)
        if answer is not None:
            server.sendto(answer, client)


def _echo(data: bytes, number: int) -> bytes | None:
    return data


def _silent(data: bytes, number: int) -> bytes | None:
    return None


def _second(data: bytes, number: int) -> bytes | None:
    return data if number == 2 else None


ROWS: dict[str, tuple[Reply, list[str], bool, str]] = {
    "an answer": (_echo, ["--send", "hello"], True, "answered 5 bytes"),
    "hexadecimal": (_echo, ["--send-hex", "00:ff0a", "--expect", "^\\x00\\xff\n$"], True, "answered 3 bytes"),
    "an empty datagram": (_echo, [], True, "answered 0 bytes"),
    "the first is lost": (_second, ["--send=hi"], True, "answered 2 bytes"),
    "another answer": (_echo, ["--send=no", "--expect=yes"], False, "answered 'no', in which nothing matches 'yes'"),
    "silent": (_silent, ["-t", "0.4"], False, "no answer within 0.4 s"),
    "silent, as it may be": (_silent, ["--no-reply-ok"], True, "silent, as it may be"),
    "may be silent, but answers": (_echo, ["--send=a", "--no-reply-ok"], True, "answered 1 bytes"),
    "may be silent, but answers wrong": (
        _echo,
        ["--send=a", "--no-reply-ok", "--expect=b"],
        False,
        "answered 'a', in which nothing matches 'b'",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_answers(name: str) -> None:
    reply, arguments, is_ok, text = ROWS[name]
    with bound(reply) as port:
        (report,) = check("udp.monitor", ["-p", str(port), *arguments])
    assert (report.is_ok, report.text) == (is_ok, text)


@pytest.mark.parametrize("arguments", ["", "--no-reply-ok"])
def test_nobody_listens(arguments: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))  # keeps the port of 127.0.0.1 for itself; 127.0.0.2 has no listener there
        (report,) = check("udp.monitor", f"-p {other.getsockname()[1]} {arguments}", "127.0.0.2")
    assert (report.is_ok, report.text) == (False, "port unreachable: nobody listens")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "udp.monitor: -p is missing: which port is it?"),
        ("-p 9 --send a --send-hex 00", "udp.monitor: --send and --send-hex exclude each other"),
        (
            "-p 9 --send-hex 0g",
            "udp.monitor: --send-hex: '0g' are no bytes in hexadecimal: right would be 00ff or 00:ff",
        ),
    ],
)
def test_arguments_that_make_no_sense(arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        check("udp.monitor", arguments)
    assert str(error.value) == sentence
