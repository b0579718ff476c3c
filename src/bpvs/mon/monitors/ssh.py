# SPDX-License-Identifier: GPL-2.0-or-later
"""ssh.monitor: the identification of an SSH server (RFC 4253, section 4.2), after which the connection is closed.

`ssh.monitor [-p port] [-t secs] [--match regex]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.dialogue import Dialogue
from bpvs.mon.monitors.options import Common, option, parse, port, regex
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_MOST_LINES = 50  # that a server may send before its identification


@dataclass(frozen=True)
class Options(Common):
    """ssh.monitor's."""

    port: int = option("-p --port", port, 22)
    match: re.Pattern[bytes] | None = option("-m --match", regex, None)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("ssh.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with Dialogue(await connect(host, options.port, options, watch)) as talk:
        watch.begin("greeting")
        banner = await _identification(talk)
        if not banner.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            raise Sick(f"it does not speak SSH 2: {printable(banner)}")
        if options.match and not options.match.search(banner):
            raise Sick(f"its identification does not match: {printable(banner)}")
        await talk.say("SSH-2.0-bpvs_mon")  # without it a server reports a client that is none
        return printable(banner)


async def _identification(talk: Dialogue) -> bytes:
    for _ in range(_MOST_LINES):
        line = await talk.hear()
        if line.startswith(b"SSH-"):
            return line
    raise Sick(f"{_MOST_LINES} lines and none that begins with SSH-")
