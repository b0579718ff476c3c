# SPDX-License-Identifier: GPL-2.0-or-later
"""ping.monitor and fping.monitor: whether the host answers ICMP echoes, and how fast.

`ping.monitor [-c count] [-6]` sends so many echoes, a second apart, and is content with one reply, as ping(8) is.
`fping.monitor [-a] [-r num] [-s msecs] [-t msecs] [-T]` sends again until a reply comes.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.echo import Echoes
from bpvs.mon.monitors.options import Common, flag, option, parse, positive, seconds, whole
from bpvs.mon.monitors.reach import targets
from bpvs.mon.monitors.verdict import Sick, printable
from bpvs.mon.processes import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_TRACE = 60.0  # seconds for one route
_APART = 1.0  # seconds between echoes, as ping(8) has it


@dataclass(frozen=True)
class PingOptions(Common):
    """ping.monitor's."""

    count: int = option("-c --count", positive, 1)


@dataclass(frozen=True)
class FpingOptions(Common):
    """fping.monitor's; times are in milliseconds, as fping(8) has them."""

    timeout: float = option("--timeout", seconds, 0.0)  # 0: as the others make it
    needs_one: bool = flag("-a")
    retries: int = option("-r", whole, 3)
    slow: float = option("-s", seconds, 0.0)
    wait: int = option("-t", positive, 2000)
    traces: bool = flag("-T")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """ping.monitor."""
    options, more = parse("ping.monitor", PingOptions, arguments)
    with Echoes(options) as echoes:
        limit = options.timeout + options.count * _APART
        return await check_hosts((*more, *hosts), limit, partial(_ping, echoes, options))


async def _ping(echoes: Echoes, options: PingOptions, host: str, watch: Stopwatch) -> tuple[str, str]:
    (target, *_) = await targets(host, 0, options, watch)
    watch.begin("echo")

    async def after(pause: float) -> float | None:
        await asyncio.sleep(pause)
        return await echoes.echo(target, options.timeout)

    times = await asyncio.gather(*(after(number * _APART) for number in range(options.count)))
    replies = [time for time in times if time is not None]
    if not replies:
        raise Sick(f"no reply to {_echoes(options.count)} within {options.timeout:g} s")
    text = f"{len(replies)} of {_echoes(options.count)} answered, the fastest in {_milliseconds(min(replies))}"
    each = " ".join("lost" if time is None else f"{time * 1000:.2f}" for time in times)
    return text, f"echoes in ms: {each}" if options.count > 1 else ""


async def check_fping(
    arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]
) -> list[HostReport]:
    """fping.monitor."""
    options, more = parse("fping.monitor", FpingOptions, arguments)
    with Echoes(options) as echoes:
        limit = options.timeout or (options.retries + 2) * options.wait / 1000
        reports = await check_hosts((*more, *hosts), limit, partial(_fping, echoes, options))
    if options.traces:
        reports = await asyncio.gather(*(_traced(report, environment) for report in reports))
    if options.needs_one and any(report.is_ok for report in reports):
        return [report if report.is_ok else _tolerated(report) for report in reports]
    return reports


async def _fping(echoes: Echoes, options: FpingOptions, host: str, watch: Stopwatch) -> str:
    (target, *_) = await targets(host, 0, options, watch)
    watch.begin("echo")
    for tries in range(1, options.retries + 2):
        took = await echoes.echo(target, options.wait / 1000)
        if took is None:
            continue
        if options.slow and took * 1000 > options.slow:
            slow = f"slow: {_milliseconds(took)}, {options.slow:g} ms are the most"
            if options.needs_one:
                return slow
            raise Sick(slow)
        return f"alive, {_milliseconds(took)}" + (f" at try {tries}" if tries > 1 else "")
    raise Sick(f"unreachable: no reply to {_echoes(options.retries + 1)}")


async def _traced(report: HostReport, environment: Mapping[str, str]) -> HostReport:
    """With the route to a failed host, as traceroute(8) sees it."""
    if report.is_ok or report.host.startswith("-"):  # that would be an option
        return report
    program = shutil.which("traceroute")
    if not program:
        return replace(report, detail="there is no traceroute program")
    outcome = await run((program, "-w", "3", report.host.strip("[]")), environment, _TRACE)
    return replace(report, detail="\n".join(printable(line) for line in outcome.output.splitlines()))


def _tolerated(report: HostReport) -> HostReport:
    return replace(report, is_ok=True, text=f"{report.text}; others are alive")


def _echoes(count: int) -> str:
    return "1 echo" if count == 1 else f"{count} echoes"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
