# SPDX-License-Identifier: GPL-2.0-or-later
"""nntp.monitor: a greeting, reader mode, one group, QUIT; for a feeder only greeting and QUIT (RFC 3977, 4643, 4642).

`nntp.monitor [-p port] [-t secs] [-g group] [-f] [-u user -a password]` as mon has it; TLS is BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials, Secret, told
from bpvs.mon.monitors.dialogue import dial
from bpvs.mon.monitors.options import flag, one_line, option, parse, port, seconds
from bpvs.mon.monitors.tls import Upgradable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_NNTP, _NNTPS = 119, 563
_DONE = 2  # the class of replies that say so
_PASSWORD_WANTED = 381


@dataclass(frozen=True)
class Options(Credentials, Upgradable):
    """nntp.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)
    group: str = option("-g --group", one_line, "control")
    is_feeder: bool = flag("-f --feeder")
    username: str = option("-u --username", one_line, "")
    given: Secret | None = option("-a --password", told, None)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("nntp.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port or (_NNTPS if options.tls else _NNTP), options, watch) as talk:
        seen = await talk.expect("greeting", _DONE)
        if options.starttls:
            await talk.ask("STARTTLS", 382)
            await talk.start_tls(host, options)
        if not options.is_feeder:
            if options.username:
                reply = await talk.ask(f"AUTHINFO USER {options.username}", _DONE, _PASSWORD_WANTED)
                if reply.code == _PASSWORD_WANTED:
                    await talk.ask(f"AUTHINFO PASS {options.password()}", _DONE, shown="AUTHINFO PASS ***")
            await talk.ask("MODE READER", _DONE)
            seen = await talk.ask(f"GROUP {options.group}", _DONE)
        await talk.ask("QUIT", _DONE)
        return talk.summary(str(seen))
