# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks hosts at the same time, each with a deadline of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bpvs.mon.monitors.report import HostReport
from bpvs.mon.monitors.verdict import Sick, Stopwatch
from bpvs.mon.monitors.via import Ways, ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    # (host, stopwatch) -> what was seen of a healthy host, in one line; or that and more lines. Raises Sick.
    Probe = Callable[[str, Stopwatch], Awaitable[str | tuple[str, str]]]

AT_ONCE = 512  # hosts of one call; keeps a big group from taking every descriptor


async def check_hosts(hosts: Sequence[str], seconds: float, probe: Probe) -> list[HostReport]:
    """One report per host, in their order; `seconds` count for each, from when its turn comes."""
    mine = Ways(hosts, seconds * (1 + len(hosts) // AT_ONCE))
    token = ways.set(mine)
    try:
        return await _check_all(hosts, seconds, probe)
    finally:
        ways.reset(token)
        if mine.are_open:
            await mine.close()


async def _check_all(hosts: Sequence[str], seconds: float, probe: Probe) -> list[HostReport]:
    if len(hosts) == 1:
        return [await check_host(hosts[0], seconds, probe)]
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(host: str) -> HostReport:
        async with turns:
            return await check_host(host, seconds, probe)

    return await asyncio.gather(*map(in_turn, hosts))


async def check_host(host: str, seconds: float, probe: Probe) -> HostReport:
    """One host's report."""
    watch = Stopwatch()
    try:
        async with asyncio.timeout(seconds):
            seen = await probe(host, watch)
    except Sick as error:
        return HostReport(host, False, str(error), watch.phases("failed"), error.detail)
    except TimeoutError:
        return HostReport(host, False, f"no answer within {seconds:g} s", watch.phases("not finished"))
    text, detail = (seen, "") if isinstance(seen, str) else seen
    return HostReport(host, True, text, watch.phases(), detail)
