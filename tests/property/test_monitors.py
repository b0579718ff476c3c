# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors: whatever a server sends is judged and no more; however arguments are written, they mean the same."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors import httpanswer
from bpvs.mon.monitors.httpanswer import Answer
from bpvs.mon.monitors.options import Common, flag, option, parse, whole
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.tls import expiry
from bpvs.mon.monitors.verdict import Sick, Stopwatch, printable
from bpvs.text.errors import UsageError

LINES = [b"HTTP/1.1 200 OK", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 100 Continue", b"HTTP/1.1 99 x", b"", b"A: b"]
FIELDS = [
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 9999999999",
    b"Transfer-Encoding: chunked",
    b":",
]
NEARLY_HTTP = st.lists(st.sampled_from([*LINES, *FIELDS, b"5", b"hello", b"0", b"\xff\x00"]), max_size=12).map(
    b"\r\n".join
)


def read(*pieces: bytes) -> Answer | Sick:
    """What the monitor makes of an answer that arrives in these pieces, and then ends."""

    async def judge() -> Answer | Sick:
        port = listener.getsockname()[1]
        with await connect("127.0.0.1", port, Common(), Stopwatch()) as stream, listener.accept()[0] as theirs:
            asking = asyncio.ensure_future(httpanswer.read(stream, "GET"))
            for piece in pieces:
                theirs.sendall(piece)
                await asyncio.sleep(0)
            theirs.shutdown(socket.SHUT_WR)
            try:
                return await asyncio.wait_for(asking, 20)
            except Sick as error:
                return error

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return asyncio.run(judge())


@given(st.binary(max_size=300) | NEARLY_HTTP)
def test_anything_is_an_answer_or_a_reason(data: bytes) -> None:
    found = read(data)
    assert str(found) if isinstance(found, Sick) else 200 <= found.status < 600


@given(st.binary(max_size=200), st.data())
def test_a_body_is_the_same_in_whatever_pieces(body: bytes, data: st.DataObject) -> None:
    framings = {
        "length": (b"Content-Length: %d\r\n" % len(body), body + b"beyond"),
        "end": (b"", body),
        "chunks": (
            b"Transfer-Encoding: chunked\r\n",
            b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]) if part) + b"0\r\n\r\n",
        ),
    }
    fields, content = framings[data.draw(st.sampled_from(sorted(framings)))]
    whole_answer = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + content
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole_answer)), max_size=5)))
    pieces = [whole_answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole_answer)], strict=True)]
    found = read(*pieces)
    assert isinstance(found, Answer)
    assert (found.status, found.reason, found.body) == (200, "OK", body)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_certificate_or_not(data: bytes) -> None:
    with suppress(Sick):
        assert isinstance(expiry(data), float)


@given(st.binary(max_size=500))
def test_a_servers_words_stay_in_their_line(data: bytes) -> None:
    text = printable(data)
    assert text.isprintable()
    assert len(text) <= 203
    assert len(text.splitlines()) <= 1


@dataclass(frozen=True)
class Options(Common):
    number: int = option("-n --number", whole, 1)
    zones: tuple[str, ...] = option("-zone", str, (), is_repeated=True)
    is_all: bool = flag("-a")


WRITTEN = st.one_of(
    st.integers(0, 10**6).flatmap(
        lambda n: st.sampled_from(
            [[f"-n{n}"], ["-n", f"{n}"], [f"--number={n}"], ["--number", f"{n}"], [f"-an{n}"]]
        ).map(lambda words: ("number", n, words))
    ),
    st.text(max_size=8).flatmap(
        lambda z: st.sampled_from([["-zone", z], [f"-zone={z}"], ["--zone", z], [f"--zone={z}"]]).map(
            lambda words: ("zones", z, words)
        )
    ),
)


@given(st.lists(WRITTEN, max_size=6), st.lists(st.from_regex("[a-z0-9.]+", fullmatch=True), max_size=3))
def test_options_mean_the_same_however_they_are_written(
    written: list[tuple[str, int | str, list[str]]], hosts: list[str]
) -> None:
    words = [word for _, _, some in written for word in some]
    options, rest = parse("x.monitor", Options, [*words, *hosts])
    numbers = [value for field, value, _ in written if field == "number"]
    assert options.number == ([1, *numbers])[-1]
    assert options.zones == tuple(value for field, value, _ in written if field == "zones")
    assert options.is_all == any(some[0].startswith("-an") for _, _, some in written)
    assert rest == tuple(hosts)


@given(
    st.lists(st.text(max_size=10) | st.sampled_from(["-n", "-a", "-zone", "--", "-t", "--via", "--source"]), max_size=5)
)
def test_any_words_are_understood_or_refused_with_a_sentence(words: list[str]) -> None:
    sentence = ""
    rest: tuple[str, ...] = ()
    try:
        _, rest = parse("x.monitor", Options, words)
    except UsageError as error:
        sentence = str(error)
    assert sentence.startswith("x.monitor: ") if sentence else words[len(words) - len(rest) :] == list(rest)
