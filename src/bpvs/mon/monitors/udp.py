# SPDX-License-Identifier: GPL-2.0-or-later
"""udp.monitor: sends a datagram and waits for an answer; ICMP's word that nobody listens is a failure in any case."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.datagram import open_datagram
from bpvs.mon.monitors.options import Common, escaped, flag, option, parse, port, regex
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_AGAIN = 1.0  # seconds after which the datagram is sent again, and silence counts as consent if it may


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError:
        raise ValueError(f"{text!r} are no bytes in hexadecimal: right would be 00ff or 00:ff") from None


@dataclass(frozen=True)
class Options(Common):
    """udp.monitor's."""

    port: int = option("-p --port", port, 0)
    send: bytes = option("--send", escaped, b"")
    send_hex: bytes = option("--send-hex", _hexadecimal, b"")
    expect: re.Pattern[bytes] | None = option("--expect", regex, None)
    may_be_silent: bool = flag("--no-reply-ok")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.port:
            raise ValueError("-p is missing: which port is it?")
        if self.send and self.send_hex:
            raise ValueError("--send and --send-hex exclude each other")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """Asks each host."""
    options, more = parse("udp.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with await open_datagram(host, options.port, options, watch) as datagram:
        watch.begin("answer")
        question = options.send or options.send_hex
        if not options.may_be_silent:
            return _judge(options, await datagram.ask(question, lambda answer: answer, _AGAIN))
        await datagram.send(question)
        try:
            async with asyncio.timeout(min(_AGAIN, options.timeout / 2)):
                return _judge(options, await datagram.receive())
        except TimeoutError:
            return "silent, as it may be"


def _judge(options: Options, answer: bytes) -> str:
    if options.expect and not options.expect.search(answer):
        raise Sick(f"answered {printable(answer)!r}, in which nothing matches {options.expect.pattern.decode()!r}")
    return f"answered {len(answer)} bytes"
