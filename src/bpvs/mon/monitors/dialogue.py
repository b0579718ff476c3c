# SPDX-License-Identifier: GPL-2.0-or-later
"""Line by line with a server, remembered for people: `< 220 ready`, `> EHLO director`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.tls import secure
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from bpvs.mon.monitors.stream import Stream
    from bpvs.mon.monitors.tls import Secure
    from bpvs.mon.monitors.verdict import Stopwatch

_CODE = re.compile(rb"([1-5]\d\d)([- ]|$)")
_MOST_LINES = 200  # of one reply


class Reply(NamedTuple):
    """A reply as SMTP, FTP and NNTP have it: a code of three digits and lines of text."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return self.lines[-1]


class Dialogue:
    """What is said on a connection, which a `with` block closes; a Sick raised in it tells all that was said."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._tls = ""
        self._said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stream.__exit__(kind, error, at)
        if isinstance(error, Sick) and not error.detail:
            error.detail = self.transcript()

    def transcript(self) -> str:
        """Both sides' lines, in order."""
        return "\n".join(self._said)

    def summary(self, seen: str) -> tuple[str, str]:
        """What was seen of a healthy host, for its report: in a line, with a word on TLS, and all that was said."""
        return f"{seen}, {self._tls}" if self._tls else seen, self.transcript()

    async def start_tls(self, host: str, options: Secure) -> None:
        """Goes on in TLS."""
        self._tls = await secure(self.stream, host, options)

    async def say(self, line: str, shown: str = "", phase: str = "") -> None:
        """A line to the server; `shown` stands for it in the transcript if it holds a secret.

        It begins a phase, by the name of its first word if no other is given.
        """
        self._said.append(f"> {shown or line}")
        self.stream.watch.begin(phase or (shown or line).partition(" ")[0])
        await self.stream.send(f"{line}\r\n".encode())

    async def hear(self) -> bytes:
        """A line of the server."""
        line = await self.stream.line()
        self._said.append(f"< {printable(line)}")
        return line

    async def reply(self) -> Reply:
        """All lines of a reply (RFC 959, section 4.2; RFC 5321, section 4.2.1)."""
        line = await self.hear()
        match = _CODE.match(line)
        if match is None:
            raise Sick(f"no reply of the protocol: {printable(line)!r}")
        code, lines = match[1], [printable(line)]
        if match[2] == b"-":
            while not (line := await self.hear()).startswith(code) or line[3:4] == b"-":
                lines.append(printable(line))
                if len(lines) > _MOST_LINES:
                    raise Sick(f"a reply of more than {_MOST_LINES} lines")
            lines.append(printable(line))
        return Reply(int(code), tuple(lines))

    async def expect(self, what: str, *codes: int) -> Reply:
        """A reply with one of the codes; Sick names `what` was to be answered. A code below 10 is a whole class."""
        reply = await self.reply()
        if reply.code in codes or reply.code // 100 in codes:
            return reply
        raise Sick(f"{what}: {reply}")

    async def ask(self, line: str, *codes: int, shown: str = "") -> Reply:
        """A command and its reply, which has to have one of the codes."""
        await self.say(line, shown)
        return await self.expect(shown or line, *codes)


async def dial(host: str, port: int, options: Secure, watch: Stopwatch) -> Dialogue:
    """A dialogue with a host, in TLS from the beginning if --tls is given; its first phase is the greeting."""
    talk = Dialogue(await connect(host, port, options, watch))
    try:
        if options.tls:
            await talk.start_tls(host, options)
    except BaseException:
        talk.__exit__(None, None, None)
        raise
    watch.begin("greeting")
    return talk
