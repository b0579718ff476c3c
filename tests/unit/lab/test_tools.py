# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting, running, and the web server's answers on the loopback of this machine."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bpvs.lab.shell import LabError, own_tool, run
from bpvs.lab.wait import until
from bpvs.lab.webserver import BLOCK_BYTES, blocks, checksum, client_text


def test_until_returns_the_first_true_value() -> None:
    values = iter([0, "", None, 7, 8])
    assert until(lambda: next(values), "a number") == 7


def test_until_gives_up_at_its_deadline_and_names_what_was_awaited() -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"waited 0\.05 s in vain: the sun at night"):
        until(lambda: False, "the sun at night", 0.05)
    assert 0.05 <= time.monotonic() - begun < 2


def test_a_result_has_everything_that_a_program_gave() -> None:
    done = run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin="in")
    assert (done.code, done.out, done.err) == (3, "in", "oops\n")
    with pytest.raises(LabError, match=r"gave exit code 3: oops$"):
        done.checked()


def test_a_missing_program_and_a_slow_one_are_told_in_a_sentence() -> None:
    with pytest.raises(LabError, match="`bpvs-nosuch` is not installed"):
        run(["bpvs-nosuch"])
    with pytest.raises(LabError, match=r"`sleep 60` did not end within 0\.05 s"):
        run(["sleep", "60"], seconds=0.05)


def test_own_tools_run_this_installation() -> None:
    assert "doctor" in run([*own_tool("bpvs"), "--help"]).checked().out


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 17])
def test_blocks_make_up_the_size_and_the_checksum(size: int) -> None:
    body = b"".join(blocks(size))
    assert len(body) == size
    assert hashlib.sha256(body).hexdigest() == checksum(size)


def test_no_two_blocks_are_the_same() -> None:
    assert len(set(blocks(4 * BLOCK_BYTES))) == 4


def test_an_ipv4_client_is_written_as_such() -> None:
    assert client_text(("::ffff:10.9.0.2", 40000, 0, 0)) == "10.9.0.2 40000"
    assert client_text(("fd09::2", 40000, 0, 0)) == "fd09::2 40000"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A web server of ours on a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free: int = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "bpvs.lab.webserver", str(free), "hello"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield free
        server.kill()


def talk(port: int, request: bytes) -> bytes:
    """Sends a request and returns everything until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.read()


def test_requests_on_one_connection_are_answered_in_order(port: int) -> None:
    answer = talk(port, b"GET / HTTP/1.1\r\n\r\nGET /size/5 HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 3
    assert b"\r\n\r\nhello\nHTTP/1.1 200 OK\r\n" in answer
    assert next(blocks(5)) in answer
    assert answer.endswith(b"there are /, /client and /size/N\n")


def test_connection_close_is_obeyed_and_announced(port: int) -> None:
    answer = talk(port, b"GET /?1 HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer


def test_an_upload_is_answered_with_its_checksum(port: int) -> None:
    body = b"".join(blocks(100_000))
    answer = talk(port, b"PUT / HTTP/1.1\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(f"\r\n\r\n{checksum(100_000)} 100000\n".encode())


def test_a_broken_upload_says_how_much_arrived(port: int) -> None:
    assert talk(port, b"PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").endswith(b" 3\n")
