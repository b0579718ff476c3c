# SPDX-License-Identifier: GPL-2.0-or-later
"""dns-query.monitor: whether name servers have an address for a name, `dns-query.monitor [-t secs] [-n name]`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dns.rdatatype

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.dnsquestion import Resolving, about, ask, name
from bpvs.mon.monitors.options import option, parse, seconds
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dns.name import Name

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_RESOLVER = Path("/etc/resolv.conf")


@dataclass(frozen=True)
class Options(Resolving):
    """dns-query.monitor's."""

    timeout: float = option("-t --timeout", seconds, 5.0)
    retransmit: float = option("-retransmit", seconds, 2.0)
    name: Name = option("-n --name", name, name("mailhost"))


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """Asks each host; a name without a dot is looked for in the search list of resolv.conf(5) first."""
    options, more = parse("dns-query.monitor", Options, arguments)
    return await check_hosts(
        (*more, *hosts), options.timeout, partial(_probe, options, list(_candidates(options.name)))
    )


def _candidates(wanted: Name) -> Iterator[Name]:
    if len(wanted) == 2:  # one label and the root
        lines = _RESOLVER.read_text().splitlines() if _RESOLVER.exists() else []
        lists = [line.split()[1:] for line in lines if line.split()[:1] in (["search"], ["domain"])]
        for suffix in lists[-1] if lists else []:
            with suppress(ValueError):  # a line that no resolver understands
                yield wanted.relativize(wanted.parent()).concatenate(name(suffix))
    yield wanted


async def _probe(options: Options, candidates: Sequence[Name], host: str, watch: Stopwatch) -> str:
    reasons = []
    for wanted in candidates:
        try:
            answer = await ask(host, wanted, dns.rdatatype.A, options, watch, is_recursive=True)
        except Sick as error:
            reasons.append(str(error))
            continue
        found = [record.to_text() for records in answer.answer for record in records]
        if found:
            return f"{about(wanted, dns.rdatatype.A)}: {' '.join(found)}"
        reasons.append(f"{about(wanted, dns.rdatatype.A)}: no such records")
    raise Sick("; ".join(dict.fromkeys(reasons)))
