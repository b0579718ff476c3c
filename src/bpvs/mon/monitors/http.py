# SPDX-License-Identifier: GPL-2.0-or-later
"""http.monitor: asks for a page and looks at the status, or for a pattern in the answer.

`http.monitor [-p port] [-t secs] [-u path] [-a agent] [-m regex] [-o]` as mon has it; --status, --host, --header,
--method, and TLS are BPVS's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors import httpanswer
from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import flag, one_line, option, parse, port, regex, seconds, statuses
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.tls import Secure, secure
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.httpanswer import Answer
    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_HTTP, _HTTPS = 80, 443
_STATUSES = frozenset((200, 301, 302, 401))  # well for mon
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def _target(text: str) -> str:
    """What is asked for: a path, or a whole URL for a proxy."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} is no path: blanks and letters beyond ASCII are to be written as %20")
    return text if text.startswith(("/", "http://", "https://", "*")) else f"/{text}"


def _header(text: str) -> str:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or not value.isprintable():
        raise ValueError(f"{text!r} is no header: right would be 'Name: value'")
    return f"{name}: {value.strip()}"


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} is no method: right would be GET or HEAD")
    return text


@dataclass(frozen=True)
class Options(Secure):
    """http.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)  # 0: the protocol's
    target: str = option("-u --url", _target, "/")
    agent: str = option("-a --agent", one_line, "mon.d/http.monitor")
    match: re.Pattern[bytes] | None = option("-m --body", regex, None)
    is_terse: bool = flag("-o")
    status: frozenset[int] = option("--status", statuses, frozenset())
    host: str = option("--host", one_line, "")
    method: str = option("--method", _token, "GET")
    headers: tuple[str, ...] = option("--header", _header, (), is_repeated=True)

    @property
    def standard_port(self) -> int:
        """The protocol's."""
        return _HTTPS if self.tls else _HTTP

    @property
    def server_name(self) -> str:
        """The name in --host without a port."""
        name, colon, digits = self.host.rpartition(":")
        return name if colon and digits.isdigit() and not name.endswith(":") else self.host

    @cached_property
    def request(self) -> tuple[bytes, bytes]:
        """What is sent, before and after the name of the host."""
        rest = (f"User-Agent: {self.agent}", "Accept: */*", "Connection: close", *self.headers)
        return f"{self.method} {self.target} HTTP/1.1\r\nHost: ".encode(), "\r\n".join(("", *rest, "", "")).encode()

    def wants(self, answer: Answer) -> bool:
        """Whether the status is right; a pattern makes mon's own list of statuses void."""
        if self.status:
            return answer.status in self.status
        return answer.status in _STATUSES or self.match is not None


@dataclass(frozen=True)
class SecureOptions(Options):
    """https.monitor's."""

    tls: bool = flag("--tls", default=True)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """http.monitor."""
    return await _check("http.monitor", Options, arguments, hosts)


async def check_secure(
    arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]
) -> list[HostReport]:
    """https.monitor."""
    return await _check("https.monitor", SecureOptions, arguments, hosts)


async def _check(program: str, kind: type[Options], arguments: Sequence[str], hosts: Sequence[str]) -> list[HostReport]:
    options, more = parse(program, kind, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    before, after = options.request
    with await connect(host, options.port or options.standard_port, options, watch) as stream:
        note = f", {await secure(stream, options.server_name or host, options)}" if options.tls else ""
        watch.begin("first byte")
        await stream.send(before + (options.host or _host_field(options, host)).encode() + after)
        answer = await httpanswer.read(stream, options.method)
    if not options.wants(answer):
        raise Sick(answer.text, answer.lines)
    if options.match and not options.match.search(answer.head + answer.body):
        raise Sick(f"{answer.text}, but nothing in it matches {options.match.pattern.decode()!r}", answer.lines)
    return answer.text + note, "" if options.is_terse else answer.lines


def _host_field(options: Options, host: str) -> str:
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{name}:{options.port}" if options.port not in (0, options.standard_port) else name
