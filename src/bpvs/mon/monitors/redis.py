# SPDX-License-Identifier: GPL-2.0-or-later
"""redis.monitor: PING; with a password AUTH before it; with --role the role in replication too (Redis protocol, RESP2).

`redis.monitor [-p port] [-t secs] [--username u] [--password p] [--role master|replica] [--tls]`. A server that asks
for a password, where none is given, is alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.options import option, parse, port
from bpvs.mon.monitors.stream import Stream, connect
from bpvs.mon.monitors.tls import secure
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST = 1 << 16
_ROLES = {"master": "master", "replica": "slave", "slave": "slave"}  # as INFO has them


def _role(text: str) -> str:
    if text not in _ROLES:
        raise ValueError(f"{text!r} is no role: right would be master or replica")
    return _ROLES[text]


@dataclass(frozen=True)
class Options(Credentials):
    """redis.monitor's."""

    port: int = option("-p --port", port, 6379)
    role: str = option("--role", _role, "")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("redis.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with await connect(host, options.port, options, watch) as stream:
        tls = f", {await secure(stream, host, options)}" if options.tls else ""
        if options.given or options.kept:
            names = (options.username,) if options.username else ()
            answer = await _ask(stream, "AUTH", *names, options.password())
            if answer != b"+OK":
                raise Sick(f"AUTH: {printable(answer)}")
        answer = await _ask(stream, "PING")
        if answer.startswith(b"-NOAUTH") and not options.role:
            return f"it wants a password{tls}"
        if answer != b"+PONG":
            raise Sick(f"PING: {printable(answer)}")
        return (await _role_of(stream, options.role) if options.role else "PONG") + tls


async def _role_of(stream: Stream, wanted: str) -> str:
    answer = await _ask(stream, "INFO", "replication")
    size = answer[1:]
    if not answer.startswith(b"$") or not size.isdigit() or int(size) > _LONGEST:
        raise Sick(f"INFO: {printable(answer)}")
    lines = (await stream.exactly(int(size))).decode("utf-8", "replace").split("\r\n")
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    role = facts.get("role", "unknown")
    shown = "replica" if role == _ROLES["replica"] else printable(role.encode())
    if role != wanted:
        raise Sick(f"its role is {shown}, which is not the one wanted")
    link = facts.get("master_link_status")
    return f"PONG, role {shown}" + (f", link to its master {printable(link.encode())}" if link else "")


async def _ask(stream: Stream, *words: str) -> bytes:
    """A command and the first line of its answer."""
    stream.watch.begin(words[0])
    pieces = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode()
        pieces.append(b"$%d\r\n%s\r\n" % (len(raw), raw))
    await stream.send(b"".join(pieces))
    return await stream.line()
