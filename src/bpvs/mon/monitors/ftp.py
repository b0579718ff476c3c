# SPDX-License-Identifier: GPL-2.0-or-later
"""ftp.monitor: a greeting and QUIT; with --username a login; with --starttls in TLS (RFC 959, 4217).

`ftp.monitor [-p port] [-t secs]` as mon has it; all else is BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.dialogue import dial
from bpvs.mon.monitors.options import option, parse, port, seconds
from bpvs.mon.monitors.tls import Upgradable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_FTP, _FTPS = 21, 990
_LOGGED_IN, _PASSWORD_WANTED = 230, 331


@dataclass(frozen=True)
class Options(Credentials, Upgradable):
    """ftp.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("ftp.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port or (_FTPS if options.tls else _FTP), options, watch) as talk:
        greeting = await talk.expect("greeting", 220)
        if options.starttls:
            await talk.ask("AUTH TLS", 234)
            await talk.start_tls(host, options)
        if options.username:
            reply = await talk.ask(f"USER {options.username}", _LOGGED_IN, _PASSWORD_WANTED)
            if reply.code == _PASSWORD_WANTED:
                await talk.ask(f"PASS {options.password()}", _LOGGED_IN, shown="PASS ***")
        await talk.ask("QUIT", 221)
        return talk.summary(str(greeting))
