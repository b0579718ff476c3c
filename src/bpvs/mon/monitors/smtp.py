# SPDX-License-Identifier: GPL-2.0-or-later
"""smtp.monitor: a greeting, EHLO (or HELO, where that is not known) and QUIT; with --starttls in TLS (RFC 5321, 3207).

`smtp.monitor [-p port] [-t secs]` as mon has it; --helo, --tls and --starttls are BPVS's own.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.dialogue import Dialogue, Reply, dial
from bpvs.mon.monitors.options import one_line, option, parse, port, seconds
from bpvs.mon.monitors.tls import Upgradable
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_SMTP, _SMTPS = 25, 465


@dataclass(frozen=True)
class Options(Upgradable):
    """smtp.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)
    helo: str = option("--helo", one_line, "")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("smtp.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port or (_SMTPS if options.tls else _SMTP), options, watch) as talk:
        greeting = await talk.expect("greeting", 220)
        offered = await _hello(talk, options)
        if options.starttls:
            if not any(line[4:].upper() == "STARTTLS" for line in offered.lines):
                raise Sick("it does not offer STARTTLS")
            await talk.ask("STARTTLS", 220)
            await talk.start_tls(host, options)
            await _hello(talk, options)
        await talk.ask("QUIT", 221)
        return talk.summary(str(greeting))


async def _hello(talk: Dialogue, options: Options) -> Reply:
    name = options.helo or socket.gethostname()
    await talk.say(f"EHLO {name}")
    reply = await talk.reply()
    if reply.code == 250:
        return reply
    if reply.code // 100 != 5 or options.starttls:
        raise Sick(f"EHLO {name}: {reply}")
    return await talk.ask(f"HELO {name}", 250)
