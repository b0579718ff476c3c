# SPDX-License-Identifier: GPL-2.0-or-later
"""dns.monitor: whether name servers have a zone as its masters have it, or answer questions at all.

`dns.monitor -zone zone ... -master server ... [-serial_threshold num] [-failsingle]`: every host is authoritative for
each zone, with the serial number of the master that is ahead, or one that is not further from it than the threshold.
`dns.monitor -caching_only -query name[:type[:value]] ...`: every host answers each question; one of the answers is the
value, or one of what the same host says of the value's name.
Both: `[-tcp] [-retry num] [-retransmit secs] [-timeout secs] [-debug]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.rdatatype
from dns.rdtypes.ANY.SOA import SOA

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.dnsquestion import Resolving, about, ask, name
from bpvs.mon.monitors.options import flag, option, parse, seconds, whole
from bpvs.mon.monitors.report import HostReport
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dns.name import Name
    from dns.rdatatype import RdataType

    from bpvs.mon.monitors.verdict import Stopwatch

_WRAP = 1 << 32  # serial numbers begin anew (RFC 1982)


@dataclass(frozen=True)
class Query:
    """What is asked, and what is to be among the answers."""

    name: Name
    type: RdataType
    value: str


def _query(text: str) -> Query:
    wanted, _, rest = text.partition(":")
    kind, _, value = rest.partition(":")
    try:
        return Query(name(wanted), dns.rdatatype.from_text(kind or "A"), value)
    except dns.exception.DNSException:
        raise ValueError(f"{kind!r} is no type of the DNS: right would be A or MX") from None


@dataclass(frozen=True)
class Options(Resolving):
    """dns.monitor's."""

    timeout: float = option("-t -timeout", seconds, 15.0)
    zones: tuple[Name, ...] = option("-zone", name, (), is_repeated=True)
    masters: tuple[str, ...] = option("-master", str, (), is_repeated=True)
    threshold: int = option("-serial_threshold", whole, 0)
    fails_single: bool = flag("-failsingle")
    caching_only: bool = flag("-caching_only")
    queries: tuple[Query, ...] = option("-query", _query, (), is_repeated=True)
    is_verbose: bool = flag("-debug")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.caching_only and not self.queries:
            raise ValueError("-caching_only wants at least one -query name[:type[:value]]")
        if not self.caching_only and not (self.zones and self.masters):
            raise ValueError("at least one -zone and one -master are wanted, or -caching_only and -query")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """A report per host, and one for each master that is to blame."""
    options, more = parse("dns.monitor", Options, arguments)
    hosts = (*more, *hosts)
    if options.caching_only:
        return await check_hosts(hosts, options.timeout, partial(_answers, options))
    serials: dict[Name, dict[str, int]] = {zone: {} for zone in options.zones}
    masters = await check_hosts(options.masters, options.timeout, partial(_zones, options, {}, serials))
    newest = {zone: reduce(_newer, found.values()) for zone, found in serials.items() if found}
    slaves = await check_hosts(hosts, options.timeout, partial(_zones, options, newest, {}))
    return [*slaves, *_blamed(options, masters, serials, newest)]


async def _zones(
    options: Options, newest: Mapping[Name, int], serials: Mapping[Name, dict[str, int]], host: str, watch: Stopwatch
) -> tuple[str, str]:
    """Every zone's serial number, held against the newest if that is known, written down if it is asked for."""
    seen, wrong = [], []
    for zone in options.zones:
        try:
            soa = await _soa(options, host, zone, watch)
        except Sick as error:
            wrong.append(str(error))
            continue
        if zone in serials:
            serials[zone][host] = soa.serial
        behind = _behind(options, zone, soa.serial, newest)
        wrong += [behind] if behind else []
        seen.append(f"{zone.to_text(omit_final_dot=True)} serial {soa.serial}")
    detail = "\n".join(seen) if options.is_verbose else ""
    if wrong:
        raise Sick("; ".join(dict.fromkeys(wrong)), detail)
    return ", ".join(seen), detail


async def _soa(options: Options, host: str, zone: Name, watch: Stopwatch) -> SOA:
    answer = await ask(host, zone, dns.rdatatype.SOA, options, watch, is_recursive=False)
    if not answer.flags & dns.flags.AA:
        raise Sick(f"not authoritative for {zone.to_text(omit_final_dot=True)}")
    found = [record for records in answer.answer for record in records if isinstance(record, SOA)]
    if len(found) != 1:
        raise Sick(f"{about(zone, dns.rdatatype.SOA)}: {len(found)} records, one was expected")
    return found[0]


def _behind(options: Options, zone: Name, serial: int, newest: Mapping[Name, int]) -> str:
    """What is wrong with a serial number, if anything is."""
    wanted = newest.get(zone, serial)
    ahead = (wanted - serial) % _WRAP
    if min(ahead, _WRAP - ahead) <= options.threshold:
        return ""
    return f"{zone.to_text(omit_final_dot=True)} serial {serial}, the master's is {wanted}"


def _newer(one: int, other: int) -> int:
    return one if (one - other) % _WRAP < _WRAP // 2 else other


def _blamed(
    options: Options,
    masters: Sequence[HostReport],
    serials: Mapping[Name, Mapping[str, int]],
    newest: Mapping[Name, int],
) -> Iterator[HostReport]:
    """Masters behind another one; those without an answer if no other has one, or if one is enough to fail."""
    for report in masters:
        own = [(zone, found[report.host]) for zone, found in serials.items() if report.host in found]
        behind = "; ".join(filter(None, (_behind(options, zone, serial, newest) for zone, serial in own)))
        if behind:
            yield HostReport(report.host, False, behind, report.phases)
        elif not report.is_ok and (options.fails_single or len(newest) < len(options.zones)):
            yield HostReport(report.host, False, f"master: {report.text}", report.phases, report.detail)


async def _answers(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    seen = []
    for query in options.queries:
        found = await _records(options, host, query.name, query.type, watch)
        seen.append(f"{about(query.name, query.type)}: {' '.join(found)}")
        if query.value and not await _is_among(options, host, query, found, watch):
            raise Sick(f"{seen[-1]}, wanted is {query.value}")
    return f"{len(seen)} answered", "\n".join(seen) if options.is_verbose else ""


async def _records(options: Options, host: str, wanted: Name, kind: RdataType, watch: Stopwatch) -> list[str]:
    answer = await ask(host, wanted, kind, options, watch, is_recursive=True)
    found = [record.to_text() for records in answer.answer if records.rdtype == kind for record in records]
    if not found:
        raise Sick(f"{about(wanted, kind)}: no such records")
    return sorted(found)


async def _is_among(options: Options, host: str, query: Query, found: Sequence[str], watch: Stopwatch) -> bool:
    """Whether the value is one of the records; or a name that has one of them, as mon's monitor has it."""
    if _plain(query.value) in map(_plain, found):
        return True
    try:
        others = await _records(options, host, name(query.value), query.type, watch)
    except (Sick, ValueError):
        return False
    return not set(found).isdisjoint(others)


def _plain(record: str) -> str:
    return record.lower().removesuffix(".")
