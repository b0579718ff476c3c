# SPDX-License-Identifier: GPL-2.0-or-later
"""radius.monitor and sip.monitor before servers of datagrams; sip.monitor over TCP and TLS too."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path

import pytest

from bpvs.text.errors import UsageError
from tests.mon.monitors.servers import check, close, hang, refusing, serving
from tests.mon.monitors.test_tls import AUTHORITY, context
from tests.mon.monitors.test_udp import Reply, bound

SECRET = ["-secret", "s3cret"]
USER = [*SECRET, "-username", "mon", "-password", "pass w0rd"]


def radius(code: int, attributes: bytes = b"", secret: bytes = b"s3cret") -> Reply:
    def reply(request: bytes, number: int) -> bytes:
        head = bytes((code, request[1])) + (20 + len(attributes)).to_bytes(2, "big")
        signature = hashlib.md5(head + request[4:20] + attributes + secret).digest()  # noqa: S324 - the protocol's
        return head + signature + attributes

    return reply


def late(reply: Reply) -> Reply:
    """Loses the first datagram."""
    return lambda request, number: reply(request, number) if number > 1 else None


def _garbage(request: bytes, number: int) -> bytes:
    return b"hello"


def _silent(request: bytes, number: int) -> None:
    return None


RADIUS: dict[str, tuple[Reply, list[str], bool, str]] = {
    "accepted": (radius(2, b"\x12\x05hey"), USER, True, "accepted: hey"),
    "challenged": (radius(11), USER, True, "challenged"),
    "alive": (radius(2), SECRET, True, "accepted"),
    "asked again": (late(radius(2)), [*SECRET, "-attempts", "20"], True, "accepted"),
    "rejected": (radius(3, b"\x12\x04no"), USER, False, "rejected: no"),
    "of another kind": (radius(5), USER, False, "an answer of kind 5, which is none to a request"),
    "of another secret": (
        radius(2, secret=b"other"),
        USER,
        False,
        "an answer not signed with the secret: another secret there, or another server",
    ),
    "forged": (
        radius(2, b"\x50\x12" + bytes(16)),
        USER,
        False,
        "an answer whose Message-Authenticator is wrong",
    ),
    "garbage": (_garbage, USER, False, "an answer shorter than a RADIUS header"),
    "silent": (_silent, [*USER, "-t", "0.4"], False, "no answer within 0.4 s"),
}


@pytest.mark.parametrize("name", RADIUS)
def test_radius(name: str) -> None:
    reply, more, is_ok, said = RADIUS[name]
    with bound(reply) as port:
        (report,) = check("radius.monitor", ["-port", str(port), *more])
    assert (report.text, report.is_ok) == (said, is_ok)
    assert not re.search("s3cret|w0rd", repr(report))


def test_radius_is_asked_with_what_mon_has_asked() -> None:
    asked = []

    def reply(request: bytes, number: int) -> bytes:
        asked.append(request)
        answer = radius(2)(request, number)
        assert answer
        return answer

    with bound(reply) as port:
        check("radius.monitor", ["-port", str(port), *USER, "-dictionary", "/etc/radius/dictionary", "-attempts=3"])
        check("radius.monitor", ["-port", str(port), *SECRET])
    assert asked[0][0] == 1
    assert b"\x01\x05mon" in asked[0]
    assert b"pass w0rd" not in asked[0]
    assert asked[1][0] == 12


def test_radius_secrets_in_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    with bound(radius(2)) as port:
        (report,) = check("radius.monitor", ["-port", str(port), "--secret-file", str(file)])
        (long,) = check("radius.monitor", ["-port", str(port), *SECRET, "-username", "u", "-password", "x" * 129])
    assert report.is_ok
    assert long.text == "the password is longer than 128 bytes"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "it wants --secret or --secret-file"),
        (["-secret", "x", "-username", "u"], "--username wants --password"),
        (["-secret", "x", "-username", "u" * 254], "longer than 253 bytes"),
    ],
)
def test_radius_wrong_arguments(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check("radius.monitor", arguments)


def sip(*lines: str) -> Reply:
    """Status lines of answers with the request's Call-ID, the n-th for the n-th time it is asked."""

    def reply(request: bytes, number: int) -> bytes | None:
        call = re.search(rb"Call-ID: (\S+)", request)
        assert call
        return f"SIP/2.0 {lines[min(number, len(lines)) - 1]}\r\ni: {call[1].decode()}\r\n\r\n".encode()

    return reply


SIP: dict[str, tuple[Reply, list[str], bool, str]] = {
    "alive": (sip("200 OK"), [], True, "200 OK"),
    "asks who": (sip("401 Unauthorized"), [], True, "401 Unauthorized"),
    "does not do that": (sip("405 Method Not Allowed"), [], True, "405 Method Not Allowed"),
    "tries first": (sip("100 Trying", "200 OK"), [], True, "200 OK"),
    "lost first": (late(sip("200 OK")), [], True, "200 OK"),
    "wanted": (sip("404 Not Found"), ["--status", "404", "--uri", "sip:a@example.org"], True, "404 Not Found"),
    "overloaded": (sip("503 Service Unavailable"), [], False, "OPTIONS: 503 Service Unavailable"),
    "not wanted": (sip("200 OK"), ["--status", "404"], False, "OPTIONS: 200 OK"),
    "garbage": (_garbage, [], False, "the answer is not SIP: 'hello'"),
    "silent": (_silent, ["-t", "0.4"], False, "no answer within 0.4 s"),
}


@pytest.mark.parametrize("name", SIP)
def test_sip(name: str) -> None:
    reply, more, is_ok, said = SIP[name]
    with bound(reply) as port:
        (report,) = check("sip.monitor", ["-p", str(port), *more])
    assert (report.text, report.is_ok) == (said, is_ok)


def sip_stream(connection: socket.socket) -> None:
    request = connection.recv(4096)
    for number, line in enumerate((b"SIP/2.0 100 Trying", b"SIP/2.0 200 OK"), 1):
        answer = sip("100 Trying", "200 OK")(request, number)
        assert answer
        assert answer.startswith(line)
        connection.sendall(answer)
    hang(connection)


def test_sip_over_streams() -> None:
    with serving(sip_stream) as port, serving(sip_stream, tls=context("server")) as secured:
        (plain,) = check("sip.monitor", f"-p {port} --tcp")
        (tls,) = check("sip.monitor", f"-p {secured} --tls --ca {AUTHORITY}")
    assert plain.text == "200 OK"
    assert tls.text.startswith("200 OK, TLSv1.3, certificate has ")


def test_sick_sip_over_streams() -> None:
    def provisional(connection: socket.socket) -> None:
        answer = sip("100 Trying")(connection.recv(4096), 1)
        assert answer
        connection.sendall(answer * 30)
        hang(connection)

    with serving(provisional) as port, serving(close) as closing, refusing() as closed:
        assert check("sip.monitor", f"-p {port} --tcp")[0].text == "20 provisional answers and no final one"
        assert not check("sip.monitor", f"-p {closing} --tcp")[0].is_ok
        assert check("sip.monitor", f"-p {closed} --tcp")[0].text == "connection refused"
        assert check("sip.monitor", f"-p {closed}")[0].text == "port unreachable: nobody listens"


def test_sip_wrong_arguments() -> None:
    with pytest.raises(UsageError, match="is no SIP URI"):
        check("sip.monitor", "--uri http://x")
