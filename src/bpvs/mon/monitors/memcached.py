# SPDX-License-Identifier: GPL-2.0-or-later
"""memcached.monitor: asks for the version in the text protocol.

`memcached.monitor [-p port] [-t secs] [--tls]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.dialogue import dial
from bpvs.mon.monitors.options import option, parse, port
from bpvs.mon.monitors.tls import Secure
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch


@dataclass(frozen=True)
class Options(Secure):
    """memcached.monitor's."""

    port: int = option("-p --port", port, 11211)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("memcached.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port, options, watch) as talk:
        await talk.say("version")
        answer = await talk.hear()
        if not answer.startswith(b"VERSION "):
            raise Sick(f"version: {printable(answer)}")
        await talk.say("quit")
        return talk.summary(printable(answer))
