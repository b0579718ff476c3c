# SPDX-License-Identifier: GPL-2.0-or-later
"""http.monitor before servers that are well and servers that are not."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from bpvs.mon.monitors import http
from tests.closing import reset_on_close
from tests.mon.monitors.servers import Serve, answering, check, dripping, greeting, hang, refusing, serving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
PAGE = HEAD + b"Content-Length: 6\r\n\r\nhello\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhe\r\n\r\n3\r\nllo\r\n0\r\n\r\n"


def status(line: str) -> Serve:
    return answering(f"HTTP/1.0 {line}\r\nServer: x\r\n\r\n".encode())


def _reset(connection: socket.socket) -> None:
    connection.recv(4096)
    reset_on_close(connection)


HEALTHY: dict[str, tuple[Serve, list[str], str]] = {
    "a page": (answering(PAGE), [], "200 OK"),
    "as long as the connection": (answering(HEAD + b"\r\nhello"), ["-m", "hello$"], "200 OK"),
    "no need to close": (answering(PAGE, hang), [], "200 OK"),
    "chunks": (answering(CHUNKED, hang), ["-m", "llo$"], "200 OK"),
    "chunks, byte by byte": (dripping(CHUNKED, 0.001), ["-m", "llo$"], "200 OK"),
    "byte by byte": (dripping(PAGE, 0.001), ["-m", "hello"], "200 OK"),
    "lines that end in LF alone": (answering(b"HTTP/1.1 200 OK\nA: b\n\nbody"), ["-m", "body"], "200 OK"),
    "no fields at all": (answering(b"HTTP/1.1 200 OK\r\n\r\nbody"), ["-m", "body"], "200 OK"),
    "no reason": (answering(b"HTTP/1.1 200\r\n\r\n"), [], "200"),
    "an interim answer first": (answering(b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" + PAGE), [], "200 OK"),
    "moved": (status("301 Moved"), [], "301 Moved"),
    "found": (status("302 Found"), [], "302 Found"),
    "wants a password": (status("401 Unauthorized"), [], "401 Unauthorized"),
    "a status of one's own": (status("418 Teapot"), ["--status", "200-299,418"], "418 Teapot"),
    "a pattern makes the status void": (status("404 Not Found"), ["-m", "Server: x"], "404 Not Found"),
    "no body to wait for": (answering(HEAD + b"Content-Length: 6\r\n\r\n", hang), ["--method=HEAD"], "200 OK"),
    "no body for 204": (answering(b"HTTP/1.1 204 None\r\n\r\n", hang), ["--status=204"], "204 None"),
    "a body too long to read": (
        answering(HEAD + b"Content-Length: 9999999\r\n\r\n" + bytes(1 << 20), hang),
        [],
        "200 OK",
    ),
}

SICK: dict[str, tuple[Serve, list[str], str]] = {
    "not among mon's": (status("204 No Content"), [], "204 No Content"),
    "server error": (status("503 Service Unavailable"), [], "503 Service Unavailable"),
    "not among those wanted": (answering(PAGE), ["--status", "300-399"], "200 OK"),
    "pattern and status are both to hold": (answering(PAGE), ["--status=300", "-m", "hello"], "200 OK"),
    "no match": (answering(PAGE), ["-m", "goodbye"], "200 OK, but nothing in it matches 'goodbye'"),
    "garbage": (greeting(b"\x00\x16garbage\r\n\r\n", hang), [], "no HTTP answer: '??garbage'"),
    "another protocol": (greeting(b"220 mail ESMTP\r\n", hang), [], "no HTTP answer: '220 mail ESMTP'"),
    "garbage without end": (answering(b"x" * 10_000, hang), [], "a line is longer than 8192 bytes"),
    "a head without end": (answering(HEAD + b"A: b\r\n" * 12_000, hang), [], "nothing in 65536 bytes matches"),
    "closed at once": (answering(b""), [], "closed early, without a word"),
    "half a status": (answering(b"HTTP/1.1 20"), [], "closed early, after 'HTTP/1.1 20'"),
    "half a head": (answering(HEAD), [], "closed early, after 'Content-Type: text/plain'"),
    "half a body": (answering(PAGE[:-2]), [], "closed early, after 4 of 6 bytes of the body"),
    "half the chunks": (answering(CHUNKED[:-12]), [], "closed early, in the middle of the body"),
    "no chunks": (
        answering(HEAD + b"Transfer-Encoding: chunked\r\n\r\nhi\r\n"),
        [],
        "the chunks of its body are broken",
    ),
    "no length": (answering(HEAD + b"Content-Length: six\r\n\r\n"), [], "Content-Length is no number: 'six'"),
    "not HTTP/1": (answering(b"HTTP/2 200\r\n\r\n"), [], "no HTTP answer: 'HTTP/2 200'"),
    "reset": (_reset, [], "connection reset"),
}

SLOW: dict[str, Serve] = {
    "says nothing": hang,
    "says nothing more": answering(b"HTTP/1.1 200 OK\r\n", hang),
    "half a body, then nothing": answering(PAGE[:-2], hang),
    "drips": dripping(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy(name: str) -> None:
    serve, arguments, text = HEALTHY[name]
    with serving(serve) as port:
        (report,) = check("http.monitor", ["-p", str(port), *arguments])
    assert (report.is_ok, report.text) == (True, text)
    assert [phase.name for phase in report.phases] == ["connect", "first byte", *["answer"] * (1 + ("interim" in name))]


@pytest.mark.parametrize("name", SICK)
def test_sick(name: str) -> None:
    serve, arguments, text = SICK[name]
    with serving(serve) as port:
        (report,) = check("http.monitor", ["-p", str(port), *arguments])
    assert (report.is_ok, report.text) == (False, text)


@pytest.mark.parametrize("name", SLOW)
def test_slow(name: str) -> None:
    began = time.monotonic()
    with serving(SLOW[name]) as port:
        (report,) = check("http.monitor", ["-p", str(port), "-t", "0.4"])
    assert (report.is_ok, report.text) == (False, "no answer within 0.4 s")
    assert report.phases[-1].note == "not finished"
    assert 0.4 <= time.monotonic() - began < 5


def test_refused() -> None:
    with refusing() as port:
        (report,) = check("http.monitor", f"-p {port}")
    assert (report.is_ok, report.text) == (False, "connection refused")


def test_hosts_are_checked_at_the_same_time_and_reported_in_their_order() -> None:
    hosts = [f"127.0.0.{number}" for number in range(9, 0, -1)]
    began = time.monotonic()
    with serving(hang, "0.0.0.0") as port:
        reports = check("http.monitor", f"-p {port} -t 1", *hosts)
    assert [report.host for report in reports] == hosts
    assert {report.text for report in reports} == {"no answer within 1 s"}
    assert time.monotonic() - began < 6


def test_a_thousand_hosts_in_one_call() -> None:
    with serving(answering(PAGE), "0.0.0.0") as port:
        hosts = [f"127.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]
        reports = check("http.monitor", f"-p {port}", *hosts)
    assert [report.host for report in reports] == hosts
    assert all(report.is_ok for report in reports), [report for report in reports if not report.is_ok][:3]


def test_what_is_sent() -> None:
    requests = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(4096).decode())
        connection.sendall(PAGE)

    arguments = ["-u", "check?x=1", "-a", "My Agent/1.0", "--header", "X-A:  b", "--header=Accept-Language: eo"]
    with serving(serve) as port:
        check("http.monitor", ["-p", str(port), *arguments])
        check("http.monitor", ["-p", str(port), "--host=www.example.org", "--method", "OPTIONS", "-u*"])
    rest = "Accept: */*\r\nConnection: close\r\n"
    first, second = requests
    assert first == (
        f"GET /check?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: My Agent/1.0\r\n{rest}"
        "X-A: b\r\nAccept-Language: eo\r\n\r\n"
    )
    assert second == (f"OPTIONS * HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: mon.d/http.monitor\r\n{rest}\r\n")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(host: str) -> None:
    requests = []

    def serve(connection: socket.socket) -> None:
        requests.append(connection.recv(4096).decode())
        connection.sendall(PAGE)

    with serving(serve, "::1") as port:
        (report,) = check("http.monitor", f"-p {port}", host)
    assert (report.host, report.is_ok) == (host, True)
    assert f"\r\nHost: [::1]:{port}\r\n" in requests[0]


def test_the_head_is_in_the_detail_unless_a_healthy_host_is_to_be_terse() -> None:
    with serving(answering(PAGE)) as port:
        (report,) = check("http.monitor", f"-p {port}")
        (terse,) = check("http.monitor", f"-op{port}")
        (failed,) = check("http.monitor", f"-p {port} -o --status 500")
    assert report.detail == failed.detail == "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 6"
    assert terse.detail == ""


def test_hosts_may_stand_among_the_arguments() -> None:
    with serving(answering(PAGE)) as port:
        reports = check("http.monitor", f"-p {port} localhost", "127.0.0.1")
    assert [(report.host, report.is_ok) for report in reports] == [("localhost", True), ("127.0.0.1", True)]


def test_nobody_to_check() -> None:
    assert asyncio.run(http.check(["-p", "80"], [], {})) == []
