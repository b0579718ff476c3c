# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS: https.monitor and `tcp.monitor --tls`, and what a certificate has to be like when that is asked for.

The certificates are for localhost and 127.0.0.1, by an authority of their own; one has expired in 2021, the rest last
until 2120. One key is everybody's.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from bpvs.mon.monitors.tls import expiry
from bpvs.mon.monitors.verdict import Sick
from tests.mon.monitors.servers import Serve, answering, check, dripping, greeting, hang, serving

FOLDER = Path(__file__).parent / "certificates"
AUTHORITY = FOLDER / "authority.pem"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
PAGE_SERVER = answering(PAGE)
IN_2021, IN_2120 = 1609459200.0, 4733510400.0  # epochs of 1 January


def context(name: str) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(FOLDER / f"{name}.pem", FOLDER / "key.pem")
    return made


def https(arguments: str, *hosts: str, certificate: str = "server", serve: Serve = PAGE_SERVER) -> tuple[bool, str]:
    with serving(serve, tls=context(certificate)) as port:
        (report,) = check("https.monitor", f"-p {port} {arguments}", *hosts)
    return report.is_ok, report.text


@pytest.mark.parametrize("serve", [answering(PAGE), answering(PAGE, hang), dripping(PAGE, 0.001)])
def test_a_page(serve: Serve) -> None:
    is_ok, text = https("-m hello", serve=serve)
    assert is_ok
    assert text.startswith("200 OK, TLSv1.3, certificate has ")


def test_phases() -> None:
    with serving(answering(PAGE), tls=context("server")) as port:
        (report,) = check("http.monitor", f"--tls -p {port}", "localhost")
    assert [phase.name for phase in report.phases if phase.note != "failed"][-4:] == [
        "connect",
        "tls",
        "first byte",
        "answer",
    ]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_is_as_it_should_be(host: str) -> None:
    is_ok, text = https(f"--ca {AUTHORITY} --days 20000 -4", host)
    assert is_ok, text


def test_any_certificate_will_do_if_nothing_is_asked_for() -> None:
    is_ok, text = https("", certificate="expired")
    assert is_ok
    assert ", certificate expired " in text


REFUSED: dict[str, tuple[str, str, str]] = {
    "an authority nobody knows": ("--verify", "server", "certificate refused: unable to get local issuer certificate"),
    "expired": (f"--ca {AUTHORITY}", "expired", "certificate refused: certificate has expired"),
    "too few days": ("--days 99999", "server", "days left, wanted are 99999"),
    "no days left": ("--days 0", "expired", "days ago, wanted are 0"),
    "another name": (f"--ca {AUTHORITY} --sni other.example.org", "server", "certificate is not valid for"),
    "no authorities": (
        "--ca /nonexistent.pem",
        "server",
        "/nonexistent.pem cannot be used as certificates of authorities",
    ),
    "no certificate in it": (
        f"--ca {FOLDER}/key.pem",
        "server",
        "key.pem cannot be used as certificates of authorities",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_certificate_that_is_not(name: str) -> None:
    arguments, certificate, sentence = REFUSED[name]
    is_ok, text = https(arguments, certificate=certificate)
    assert not is_ok
    assert sentence in text


def test_the_name_that_is_asked_for() -> None:
    asked: list[str | None] = []
    server = context("server")
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    with serving(answering(PAGE), tls=server) as port:
        for words in ("", "--sni sni.example.org", "--host host.example.org:8443"):
            check("https.monitor", f"-p {port} {words}", "localhost")
        check("https.monitor", f"-p {port}", "127.0.0.1")
    assert asked == ["localhost", "sni.example.org", "host.example.org", None]


SICK: dict[str, tuple[Serve, str, str]] = {
    "no TLS": (greeting(b"220 mail ESMTP\r\n", hang), "", "TLS failed: wrong version number"),
    "closed": (greeting(b""), "", "connection reset|closed in the middle of TLS"),
    "closed after the hello": (answering(b""), "", "closed in the middle of TLS"),
    "silent": (hang, "-t 0.5", "no answer within 0.5 s"),
}


@pytest.mark.parametrize("name", SICK)
def test_no_tls_at_all(name: str) -> None:
    serve, arguments, sentences = SICK[name]
    with serving(serve) as port:
        (report,) = check("https.monitor", f"-p {port} {arguments}")
    assert not report.is_ok
    assert report.text in sentences.split("|")


def test_a_name_that_cannot_be_asked_for() -> None:
    assert https("--sni .example.org") == (False, "'.example.org' cannot be asked for in TLS")


def test_tcp_with_tls() -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            connection.sendall(data)

    with serving(echo, tls=context("server")) as port:
        (report,) = check("tcp.monitor", f"-p {port} --tls --ca {AUTHORITY} --send ping --expect ping")
        (other,) = check("tcp.monitor", f"-p {port} --tls --send ping --expect pong -t 0.5")
    assert report.is_ok
    assert report.text.endswith(" days left, answered 'ping'")
    assert (other.is_ok, other.text) == (False, "no answer within 0.5 s")


def test_the_connection_is_cut_inside_tls() -> None:
    def cut(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(PAGE[:-2])
        socket.socket.shutdown(connection, socket.SHUT_RDWR)

    assert https("", serve=cut) == (False, "closed early, after 4 of 6 bytes of the body")


@pytest.mark.parametrize(("name", "epoch"), [("expired", IN_2021), ("server", IN_2120)])
def test_expiry(name: str, epoch: float) -> None:
    assert expiry(ssl.PEM_cert_to_DER_cert((FOLDER / f"{name}.pem").read_text())) == epoch


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82", b"\x30\x03\x02\x01\x01", b"\x30\x80" * 50, b"garbage" * 20])
def test_a_certificate_that_cannot_be_read(der: bytes) -> None:
    with pytest.raises(Sick, match="cannot be read"):
        expiry(der)
