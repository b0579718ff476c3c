# SPDX-License-Identifier: GPL-2.0-or-later
"""postgresql.monitor: does the server take connections; with --username a login with password, MD5 or SCRAM.

Without a name it is asked as pg_isready asks it: a refusal of the role shows a healthy server, one that is starting up
or full is none. `postgresql.monitor [-p port] [-t secs] [--username u] [--password p] [--database d] [--tls]`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.options import one_line, option, parse, port
from bpvs.mon.monitors.stream import Stream, connect
from bpvs.mon.monitors.tls import secure
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire import postgresql as wire
from bpvs.mon.monitors.wire.scram import MECHANISM, Scram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST = 1 << 16  # bytes of one message
_MOST_MESSAGES = 200  # from login to readiness
_NOBODY = "mon"


@dataclass(frozen=True)
class Options(Credentials):
    """postgresql.monitor's."""

    port: int = option("-p --port", port, 5432)
    database: str = option("--database", one_line, "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.username and (self.given or self.kept):
            raise ValueError("a password wants --username")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("postgresql.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with await connect(host, options.port, options, watch) as stream:
        tls = ""
        if options.tls:
            await stream.send(wire.TLS_REQUEST)
            if await stream.exactly(1) != b"S":
                raise Sick("it does not offer TLS")
            tls = f", {await secure(stream, host, options)}"
        watch.begin("startup")
        user = options.username or _NOBODY
        names = {"user": user, "database": options.database or user, "application_name": "bpvs mon"}
        await stream.send(wire.startup(names))
        if not options.username:
            return await _is_alive(stream) + tls
        await _Login(stream, options).run()
        version = await _until_ready(stream)
        await stream.send(wire.TERMINATE)
        return f"login to {version}{tls}"


async def _is_alive(stream: Stream) -> str:
    """Whether the server answers to a stranger as a healthy one does."""
    kind, body = await _receive(stream)
    if kind == wire.AUTHENTICATION:
        await stream.send(wire.TERMINATE)
        return "it takes connections"
    error = wire.read_error(body)
    if kind != wire.ERROR or error.state[:2] not in wire.ALIVE_CLASSES:
        raise error if kind == wire.ERROR else Sick("the answer to the startup is unknown")
    return f"it takes connections ({error})"


class _Login:
    """The authentication that the server asks for."""

    def __init__(self, stream: Stream, options: Options) -> None:
        self._stream, self._options = stream, options
        self._password = options.password()
        self._scram = Scram(self._password, secrets.token_urlsafe(18))

    async def run(self) -> None:
        """Until the server is content; Sick."""
        for _ in range(_MOST_MESSAGES):
            kind, body = await _receive(self._stream)
            if kind == wire.ERROR:
                raise wire.read_error(body)
            if kind != wire.AUTHENTICATION:
                continue  # a notice, or an older minor version
            wanted, data = wire.read_auth(body)
            if wanted == wire.AUTH_OK:
                return
            if wanted == wire.AUTH_SASL_END:
                self._scram.verify(data)
            else:
                await self._stream.send(self._answer(wanted, data))
        raise Sick("its login has no end")

    def _answer(self, wanted: int, data: bytes) -> bytes:
        if wanted == wire.AUTH_CLEAR:
            if not self._options.tls:
                raise Sick("it wants the password in clear text, which is sent in TLS only: give --tls")
            return wire.password_message(self._password)
        if wanted == wire.AUTH_MD5:
            return wire.password_message(wire.md5_answer(self._options.username, self._password, data))
        if wanted == wire.AUTH_SASL and MECHANISM.encode() in data.split(b"\0"):
            return wire.sasl_first(MECHANISM, self._scram.first())
        if wanted == wire.AUTH_SASL_MORE:
            return wire.message(b"p", self._scram.final(data))
        raise Sick(f"it wants a login that is not spoken (kind {wanted}): password, MD5 and {MECHANISM} are")


async def _until_ready(stream: Stream) -> str:
    """The server's version, once it takes queries."""
    version = "a server of unknown version"
    for _ in range(_MOST_MESSAGES):
        kind, body = await _receive(stream)
        if kind == wire.ERROR:
            raise wire.read_error(body)
        if kind == wire.READY:
            return version
        if kind == wire.PARAMETER and body.startswith(b"server_version\0"):
            version = wire.read_parameter(body)
    raise Sick("it does not get ready for queries")


async def _receive(stream: Stream) -> tuple[bytes, bytes]:
    kind, size = wire.read_head(await stream.exactly(5))
    if size > _LONGEST:
        raise Sick(f"a message of {size} bytes: more than {_LONGEST}, or no PostgreSQL")
    return kind, await stream.exactly(size)
