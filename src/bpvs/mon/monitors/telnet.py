# SPDX-License-Identifier: GPL-2.0-or-later
"""telnet.monitor: waits for a prompt, refusing every option that the server negotiates (RFC 854).

`telnet.monitor [-p port] [-t secs] [-l regex]` as mon has it; the pattern may stand between slashes with flags behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import Common, option, parse, port, regex
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST = 1 << 16
_WILL, _WONT, _DO, _DONT = 251, 252, 253, 254
_REFUSALS = {_WILL: _DONT, _DO: _WONT}
_TOKEN = re.compile(
    rb"""(?P<text>[^\xff]+)
    | \xff(?P<escaped>\xff)
    | \xff(?P<verb>[\xfb-\xfe])(?P<option>.)
    | \xff\xfa.*?\xff\xf0  # a subnegotiation
    | \xff[^\xfa-\xff]""",
    re.DOTALL | re.VERBOSE,
)


def _pattern(text: str) -> re.Pattern[bytes]:
    """A regular expression, bare or as Perl writes it: /login:/i."""
    perl = re.fullmatch(r"/(.*)/([imsx]*)", text, re.DOTALL)
    if perl is None:
        return regex(text)
    return regex(f"(?{perl[2]}){perl[1]}" if perl[2] else perl[1])


@dataclass(frozen=True)
class Options(Common):
    """telnet.monitor's."""

    port: int = option("-p --port", port, 23)
    prompt: re.Pattern[bytes] = option("-l --match", _pattern, re.compile(rb"ogin:", re.IGNORECASE))


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("telnet.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with await connect(host, options.port, options, watch) as stream:
        watch.begin("prompt")
        text, raw = b"", b""
        while not (match := options.prompt.search(text)):
            piece = await stream.receive()
            if not piece:
                raise Sick(f"closed without the prompt; it said {printable(text)!r}")
            plain, answer, raw = separate(raw + piece)
            text += plain
            if len(text) + len(raw) > _LONGEST:
                raise Sick(f"no prompt in its first {_LONGEST} bytes", printable(text))
            if answer:
                await stream.send(answer)
        return f"prompt {printable(match[0])!r}"


def separate(raw: bytes) -> tuple[bytes, bytes, bytes]:
    r"""Text, the refusals to what was negotiated in between, and the beginning of a command that is not complete.

    >>> separate(b"a\xff\xfd\x18b\xff")
    (b'ab', b'\xff\xfc\x18', b'\xff')
    """
    text, answer, at = bytearray(), bytearray(), 0
    while token := _TOKEN.match(raw, at):
        at = token.end()
        text += token["text"] or token["escaped"] or b""
        if token["verb"] and token["verb"][0] in _REFUSALS:
            answer += bytes((255, _REFUSALS[token["verb"][0]])) + token["option"]
    return bytes(text), bytes(answer), raw[at:]
