# SPDX-License-Identifier: GPL-2.0-or-later
"""pop3.monitor: a greeting and QUIT; with --username a login; with --starttls in TLS (RFC 1939, 2595).

`pop3.monitor [-p port] [-t secs]` as mon has it; all else is BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.dialogue import Dialogue, dial
from bpvs.mon.monitors.options import option, parse, port, seconds
from bpvs.mon.monitors.tls import Upgradable
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_POP3, _POP3S = 110, 995


@dataclass(frozen=True)
class Options(Credentials, Upgradable):
    """pop3.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("pop3.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port or (_POP3S if options.tls else _POP3), options, watch) as talk:
        greeting = await _accepted(talk, "greeting")
        if options.starttls:
            await _ask(talk, "STLS")
            await talk.start_tls(host, options)
        if options.username:
            await _ask(talk, f"USER {options.username}")
            await _ask(talk, f"PASS {options.password()}", "PASS ***")
        await _ask(talk, "QUIT")
        return talk.summary(greeting)


async def _ask(talk: Dialogue, line: str, shown: str = "") -> None:
    await talk.say(line, shown)
    await _accepted(talk, shown or line)


async def _accepted(talk: Dialogue, what: str) -> str:
    line = await talk.hear()
    if not line.upper().startswith(b"+OK"):
        raise Sick(f"{what}: {printable(line)}")
    return printable(line)
