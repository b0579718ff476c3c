# SPDX-License-Identifier: GPL-2.0-or-later
"""ldap.monitor: binds, anonymously if no name is given, and searches; without -basedn it reads the root DSE (RFC 4511).

`ldap.monitor [-port n] [-basedn dn] [-filter f] [-attribute a] [-value v] [-verbose]` as mon has it; -t, --bind-dn,
--password, --password-file, --scope and TLS are BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.options import flag, one_line, option, parse, port
from bpvs.mon.monitors.stream import Stream, connect
from bpvs.mon.monitors.tls import Upgradable, secure
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire import ber, ldap
from bpvs.mon.monitors.wire.ldap_filter import compile_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LDAP, _LDAPS = 389, 636
_LONGEST = 1 << 20  # bytes of one message
_MOST_ENTRIES = 100


def _scope(text: str) -> int:
    if text not in ldap.SCOPES:
        raise ValueError(f"{text!r} is not among {' '.join(ldap.SCOPES)}")
    return ldap.SCOPES[text]


@dataclass(frozen=True)
class Options(Credentials, Upgradable):
    """ldap.monitor's."""

    port: int = option("-port -p", port, 0)
    base: str = option("-basedn", one_line, "")
    filter: bytes = option("-filter", compile_filter, b"")
    attribute: str = option("-attribute", one_line, "")
    value: str | None = option("-value", str, None)
    is_verbose: bool = flag("-verbose")
    scope: int | None = option("--scope", _scope, None)
    username: str = option("--bind-dn --username", one_line, "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value is not None and not self.attribute:
            raise ValueError("-value wants -attribute")
        if self.filter and not self.base:
            raise ValueError("-filter wants -basedn")

    def search(self) -> ldap.Search:
        """What is asked for. Everything of a tree would be a heavy question: a base alone asks for that one entry."""
        scope = self.scope if self.scope is not None else ldap.SCOPES["sub" if self.filter else "base"]
        attribute = self.attribute or ("*" if self.is_verbose else "1.1")  # 1.1: no attributes
        return ldap.Search(self.base, scope, self.filter or compile_filter("(objectClass=*)"), attribute)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("ldap.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await connect(host, options.port or (_LDAPS if options.tls else _LDAP), options, watch) as stream:
        if options.starttls:
            watch.begin("StartTLS")
            await stream.send(ldap.start_tls(1))
            _accept("StartTLS", await _receive(stream, 1))
        tls = f", {await secure(stream, host, options)}" if options.is_secure else ""
        watch.begin("bind")
        await stream.send(ldap.bind(2, options.username, options.password()))
        _accept("bind", await _receive(stream, 2))
        watch.begin("search")
        await stream.send(ldap.search(3, options.search()))
        entries = await _entries(stream)
        await stream.send(ldap.unbind(4))
    _judge(options, entries)
    detail = "\n".join(map(str, entries)) if options.is_verbose else ""
    return f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'} found{tls}", detail


async def _entries(stream: Stream) -> list[ldap.Entry]:
    found = []
    while (answer := await _receive(stream, 3)).tag != ldap.SEARCH_DONE:
        if answer.tag == ldap.SEARCH_ENTRY:
            found.append(ldap.read_entry(answer))
        if len(found) >= _MOST_ENTRIES:
            return found
    _accept("search", answer)
    if not found:
        raise Sick("the search found no entry")
    return found


def _judge(options: Options, entries: list[ldap.Entry]) -> None:
    """Each entry has to have the attribute, and the value among its values."""
    for entry in entries if options.attribute else ():
        values = next((values for name, values in entry.attributes if name.lower() == options.attribute.lower()), None)
        if values is None:
            raise Sick(f"{entry.name} has no attribute {options.attribute}", str(entry))
        if options.value is not None and options.value.encode() not in values:
            raise Sick(f"{entry.name} has no {options.attribute} of the value wanted", str(entry))


async def _receive(stream: Stream, number: int) -> ber.Element:
    """The operation of the next message, which has to answer the message of that number."""
    head = await stream.exactly(2)
    start, size = ber.frame(head)
    if size is None:
        head += await stream.exactly(start - 2)
        start, size = ber.frame(head)
    assert size is not None
    if size > _LONGEST:
        raise Sick(f"a message of {size} bytes: more than {_LONGEST}, or no LDAP")
    return ldap.read(head + await stream.exactly(size), number)


def _accept(what: str, answer: ber.Element) -> None:
    result = ldap.read_result(answer)
    if result.code:
        raise Sick(f"{what}: {result}")
