# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads an answer of HTTP/1 (RFC 9112).

A body that is as long as its head says, or as the connection, is read here; chunks are h11's, with which a check takes
two thirds longer (bench/mon_checks.py). Thousands of checks a second live of that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpvs.model.value import dataclass
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from bpvs.mon.monitors.stream import Stream

LONGEST_HEAD = 1 << 16
LONGEST_BODY = 1 << 20  # what is longer is looked at no further
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: (.*))?")
_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")
_LENGTH = re.compile(rb"^content-length:[ \t]*(.*?)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:.*chunked[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BODILESS = (204, 304)
_INTERIM = 200  # statuses below announce another answer


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, and the bytes of head (status line and fields, with the empty line) and body."""

    status: int
    reason: str
    head: bytes
    body: bytes

    @property
    def text(self) -> str:
        """`200 OK`."""
        return f"{self.status} {self.reason}".rstrip()

    @property
    def lines(self) -> str:
        """The head for people."""
        return "\n".join(printable(line, 1000) for line in self.head.splitlines() if line)


async def read(stream: Stream, method: str) -> Answer:
    """The answer to a request with that method; Sick. Begins the phase `answer` with the status line."""
    while True:
        line = await stream.line()
        stream.watch.begin("answer")
        match = _STATUS_LINE.fullmatch(line)
        if not match:
            raise Sick(f"no HTTP answer: {printable(line)!r}")
        fields = (await stream.until(_HEAD_END, LONGEST_HEAD)).string
        status = int(match[1])
        if status >= _INTERIM:
            break
    head = line + b"\r\n" + fields
    is_bodiless = method == "HEAD" or status in _BODILESS
    return Answer(status, printable(match[2] or b""), head, b"" if is_bodiless else await _body(stream, head, fields))


async def _body(stream: Stream, head: bytes, fields: bytes) -> bytes:
    if _CHUNKED.search(fields):
        return await _chunks(stream, head)
    length = _LENGTH.search(fields)
    if not length:
        return await stream.rest(LONGEST_BODY)
    if not length[1].isdigit():
        raise Sick(f"Content-Length is no number: {printable(length[1])!r}")
    size = int(length[1][:20])
    body = await stream.rest(min(size, LONGEST_BODY))
    if len(body) < min(size, LONGEST_BODY):
        raise Sick(f"closed early, after {len(body)} of {size} bytes of the body")
    return body


async def _chunks(stream: Stream, head: bytes) -> bytes:
    import h11

    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(head)
    body = bytearray()
    try:
        while len(body) < LONGEST_BODY:
            event = reader.next_event()
            if event is h11.NEED_DATA:
                piece = await stream.receive()
                if not piece:
                    raise Sick("closed early, in the middle of the body")
                reader.receive_data(piece)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
    except h11.RemoteProtocolError:
        raise Sick("the chunks of its body are broken") from None
    return bytes(body)
