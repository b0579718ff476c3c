# SPDX-License-Identifier: GPL-2.0-or-later
"""exec.monitor: runs a program for each host, several at a time; exit code 0 means that the host is well.

`exec.monitor [-t secs] [--at-once n] COMMAND [WORD...]` - `{host}` in a word stands for the host, which is the last
word if none has it. No shell takes part. What the program prints first is what is reported of the host.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.mon.monitors.options import Timed, option, parse, positive, seconds
from bpvs.mon.monitors.report import HostReport, Phase
from bpvs.mon.monitors.verdict import printable
from bpvs.mon.processes import run
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACE = "{host}"
_DETAIL = 4096  # bytes


@dataclass(frozen=True)
class Options(Timed):
    """exec.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    at_once: int = option("--at-once", positive, 16)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, words = parse("exec.monitor", Options, arguments)
    command = _command(words)
    turns = asyncio.Semaphore(options.at_once)

    async def one(host: str) -> HostReport:
        if host.startswith("-"):
            return HostReport(host, False, "a name that begins with '-' would be an option of the command")
        async with turns:
            return await _run(host, [word.replace(_PLACE, host) for word in command], environment, options.timeout)

    return await asyncio.gather(*map(one, hosts))


def _command(words: Sequence[str]) -> list[str]:
    """The whole path of the program and its arguments, with a place for the host."""
    if not words:
        raise UsageError("exec.monitor: it wants a command: right would be 'exec.monitor /usr/bin/check -H {host}'")
    path = shutil.which(words[0])
    if path is None:
        raise UsageError(f"exec.monitor: {words[0]!r} is no program that can be executed")
    place = [] if any(_PLACE in word for word in words[1:]) else [_PLACE]
    return [os.path.abspath(path), *words[1:], *place]


async def _run(host: str, words: Sequence[str], environment: Mapping[str, str], limit: float) -> HostReport:
    outcome = await run(words, environment, limit)
    first, _, rest = outcome.output.partition(b"\n")
    said = printable(first)
    text = said or f"exit code {outcome.status}"
    detail = "\n".join(printable(line) for line in rest[:_DETAIL].splitlines())
    return HostReport(host, outcome.status == 0, text, (Phase("run", outcome.duration),), detail)
