# SPDX-License-Identifier: GPL-2.0-or-later
"""tcp.monitor before servers that are well and servers that are not."""

from __future__ import annotations

import socket

import pytest

from tests.mon.monitors.servers import Serve, answering, check, dripping, greeting, hang, refusing, serving


def _echo(connection: socket.socket) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


ROWS: dict[str, tuple[Serve, list[str], bool, str]] = {
    "open": (hang, [], True, "port {} open"),
    "a greeting": (greeting(b"220 hello\r\n", hang), ["--expect", "^220 "], True, "port {} open, answered '220'"),
    "an answer": (_echo, ["--send", r"a\x41\r\n", "--expect", r"aA\r\n$"], True, "port {} open, answered 'aA'"),
    "in pieces": (dripping(b"PONG", 0.001), ["--send=x", "--expect=PONG"], True, "port {} open, answered 'PONG'"),
    "over two lines": (greeting(b"a\nb", hang), ["--expect", "a.b"], True, "port {} open, answered 'a?b'"),
    "another answer": (answering(b"no\r\n"), ["--send", "x", "--expect", "yes"], False, "closed early, after 'no'"),
    "closed": (greeting(b""), ["--expect", "yes"], False, "closed early, without a word"),
    "silent": (hang, ["--expect", "yes", "-t", "0.4"], False, "no answer within 0.4 s"),
    "endless": (greeting(b"no" * 99_999, hang), ["--expect", "yes"], False, "nothing in 65536 bytes matches"),
}


@pytest.mark.parametrize("name", ROWS)
def test_one_port(name: str) -> None:
    serve, arguments, is_ok, text = ROWS[name]
    with serving(serve) as port:
        (report,) = check("tcp.monitor", ["-p", str(port), *arguments])
    assert (report.is_ok, report.text) == (is_ok, text.format(port))


def test_every_port_must_be_open() -> None:
    with serving(hang) as one, serving(hang) as two, refusing() as closed:
        (well,) = check("tcp.monitor", f"-p {one},{two}")
        (bad,) = check("tcp.monitor", f"-p {one},{closed},{two}")
    assert (well.is_ok, well.text) == (True, f"port {one} open, port {two} open")
    assert (bad.is_ok, bad.text) == (False, f"port {closed}: connection refused")


def test_names_that_lead_nowhere() -> None:
    reports = check("tcp.monitor", "-p 80", "no-such-host.invalid", "", "a..b", "x" * 300)
    assert {(report.is_ok, report.text) for report in reports} <= {
        (False, "name unknown"),
        (False, "its name's servers do not answer"),
    }


def test_the_family_asked_for() -> None:
    with serving(hang) as port:
        four, six = check("tcp.monitor", f"-p {port} -4", "127.0.0.1", "::1")
        (name,) = check("tcp.monitor", f"-p {port} -4", "localhost")
    assert (four.is_ok, six.is_ok, name.is_ok) == (True, False, True)
    assert six.text == "it has no IPv4 address"


def test_the_source_address() -> None:
    seen = []

    def serve(connection: socket.socket) -> None:
        seen.append(connection.getpeername()[0])
        connection.sendall(b"seen")

    with serving(serve, "0.0.0.0") as port:
        (report,) = check("tcp.monitor", f"-p {port} --source 127.0.0.77 --expect seen")
        (foreign,) = check("tcp.monitor", f"-p {port} --source 192.0.2.1")
        (other,) = check("tcp.monitor", f"-p {port} --source ::1")
    assert (report.is_ok, seen) == (True, ["127.0.0.77"])
    assert foreign.text == "192.0.2.1 is no address of this machine"
    assert other.text == "it has no IPv6 address"


@pytest.mark.root
def test_interface_and_mark() -> None:
    with serving(hang) as port:
        (well,) = check("tcp.monitor", f"-p {port} --interface lo --mark 0x1f")
        (missing,) = check("tcp.monitor", f"-p {port} --interface nowhere0")
    assert well.is_ok
    assert (missing.is_ok, missing.text) == (False, "there is no interface nowhere0")
