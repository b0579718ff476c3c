# SPDX-License-Identifier: GPL-2.0-or-later
"""webhook.alert against a web server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bpvs.model.mon import AlertKind
from bpvs.mon.alerts.calling import AlertFailed

from .conftest import Call
from .serving import serving


class Server(HTTPServer):
    """Keeps what it was sent; answers by the path, a number."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, Message, dict[str, object]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers, body))
        self.send_response(int(self.path[1:4]))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing for stderr."""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as made:
        yield made


def test_the_call_arrives_as_json(call: Call, server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("# for the chat\n\nAuthorization: Bearer s3cret\n")
    words = ("--header", "X-Source: mon", "--header-file", str(tmp_path / "secret"))
    said = call("webhook.alert", *words, f"{server.url}/204/s3cret?token=s3cret")
    assert said == "http://127.0.0.1 answered 204"
    ((path, headers, body),) = server.seen
    assert path == "/204/s3cret?token=s3cret"
    assert (headers["X-Source"], headers["Authorization"]) == ("mon", "Bearer s3cret")
    assert headers["Content-Type"] == "application/json"
    assert body == {
        "version": 1,
        "type": "failure",
        "group": "WEB",
        "service": "http",
        "description": "shop",
        "hosts": ["10.0.0.1", "10.0.0.2"],
        "failed_hosts": ["10.0.0.1"],
        "time": 1795377522,
        "summary": "10.0.0.1",
        "detail": "HOST 10.0.0.1: refused\n.hidden\n",
    }


def test_at_an_upalert_nobody_failed(call: Call, server: Server) -> None:
    call("webhook.alert", f"{server.url}/200", kind=AlertKind.UP)
    assert (server.seen[0][2]["type"], server.seen[0][2]["failed_hosts"]) == ("up", [])


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_is_a_failure_without_the_secret_path(call: Call, server: Server, status: int) -> None:
    with pytest.raises(AlertFailed, match=rf"^webhook\.alert: http://127\.0\.0\.1 answered {status}$"):
        call("webhook.alert", f"{server.url}/{status}/s3cret")
    assert len(server.seen) == 1


def test_nobody_there_is_told(call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(AlertFailed, match=r"webhook\.alert: http://127\.0\.0\.1: .*refused"):
            call("webhook.alert", f"http://127.0.0.1:{taken.getsockname()[1]}/s3cret")


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http://", "http://u:s3cret@x/", "http://x/\r\nX: s3cret", "http://x:99999/"]
)
def test_a_wrong_url_is_refused_and_not_repeated(call: Call, url: str) -> None:
    with pytest.raises(AlertFailed, match="the URL is wrong") as told:
        call("webhook.alert", url)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize("header", ["s3cret", "X: s3cret\r\nY: z", "X Y: s3cret", "X:"])
def test_a_wrong_header_is_refused_and_not_repeated(call: Call, header: str, tmp_path: Path) -> None:
    (tmp_path / "headers").write_bytes(header.replace("\r\nY: z", " \x01").encode())
    for words in (["--header", header], ["--header-file", str(tmp_path / "headers")]):
        with pytest.raises(AlertFailed, match="header") as told:
            call("webhook.alert", *words, "http://127.0.0.1:1/")
        assert "s3cret" not in str(told.value)
