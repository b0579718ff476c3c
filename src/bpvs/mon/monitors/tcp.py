# SPDX-License-Identifier: GPL-2.0-or-later
"""tcp.monitor: connects; if asked to, says something and waits for an answer that matches.

`tcp.monitor [-p port] [-t secs]` as mon has it; several ports, names of ports, --send, --expect and TLS are BPVS's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import escaped, option, parse, ports, regex
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.tls import Secure, secure
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_TELNET = 23  # mon's default
_LONGEST = 1 << 16  # bytes that are searched


@dataclass(frozen=True)
class Options(Secure):
    """tcp.monitor's."""

    ports: tuple[int, ...] = option("-p --port", ports, (_TELNET,))
    send: bytes = option("--send", escaped, b"")
    expect: re.Pattern[bytes] | None = option("--expect", regex, None)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """Connects to each host, port after port."""
    options, more = parse("tcp.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    seen = []
    for port in options.ports:
        try:
            seen.append(await _port(options, host, port, watch))
        except Sick as error:
            if len(options.ports) > 1:
                raise Sick(f"port {port}: {error}", error.detail) from None
            raise
    return ", ".join(seen)


async def _port(options: Options, host: str, port: int, watch: Stopwatch) -> str:
    with await connect(host, port, options, watch) as stream:
        seen = f"port {port} open"
        if options.tls:
            seen += f", {await secure(stream, host, options)}"
        if options.send:
            await stream.send(options.send)
        if options.expect:
            watch.begin("answer")
            match = await stream.until(options.expect, _LONGEST)
            seen += f", answered {printable(match[0])!r}"
    return seen
