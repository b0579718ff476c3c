# SPDX-License-Identifier: GPL-2.0-or-later
"""mysql.monitor: a greeting; with --username a login; with --database at least one table there.

mysql.monitor and `msql-mysql.monitor --mode mysql` take mon's `[--port n] [--username u] [--password p] [--database d]
[--timeout n]`; a password that begins with / is the file that holds it. --password-file and TLS are BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials, Secret, kept_in, told
from bpvs.mon.monitors.options import one_line, option, parse, port, seconds
from bpvs.mon.monitors.stream import Stream, connect
from bpvs.mon.monitors.tls import secure
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire import mysql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST = 1 << 16  # bytes of one packet
_MOST_TURNS = 5  # of a login


def _password(text: str) -> Secret:
    return kept_in(text) if text.startswith("/") else told(text)


def _port(text: str) -> int:
    """A port; what is none may well be a password, which mysql(1) takes behind -p."""
    try:
        return port(text)
    except ValueError:
        raise ValueError("no port, 1 to 65535 or a name in /etc/services; passwords stand behind --password") from None


def _mode(text: str) -> str:
    if text.lower() != "mysql":
        raise ValueError(f"{text!r} is not spoken: mysql is")
    return text


@dataclass(frozen=True)
class Options(Credentials):
    """mysql.monitor's."""

    timeout: float = option("-t -timeout", seconds, 60.0)
    port: int = option("-p -port", _port, 3306)
    username: str = option("-username", one_line, "")
    given: Secret | None = option("-password", _password, None)
    database: str = option("-database", one_line, "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.username and (self.given or self.kept or self.database or self.tls):
            raise ValueError("--password, --database and --tls want --username: without it nobody logs in")


@dataclass(frozen=True)
class ModeOptions(Options):
    """msql-mysql.monitor's."""

    mode: str = option("-mode", _mode, "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.mode:
            raise ValueError("it wants --mode mysql")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("mysql.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def check_mode(
    arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]
) -> list[HostReport]:
    """msql-mysql.monitor: one report per host."""
    options, more = parse("msql-mysql.monitor", ModeOptions, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    with await connect(host, options.port, options, watch) as stream:
        watch.begin("greeting")
        link = _Link(stream)
        greeting = mysql.read_greeting(await link.receive())
        if not options.username:
            return f"greeting of {greeting.version}"
        tls = ""
        if options.tls:
            if not greeting.can_tls:
                raise Sick("it does not offer TLS")
            await link.send(mysql.tls_request(options.database))
            tls = f", {await secure(stream, host, options)}"
        watch.begin("login")
        await _log_in(link, greeting, options)
        text = f"login to {greeting.version}"
        if options.database:
            watch.begin("tables")
            if not await _has_tables(link):
                raise Sick(f"no table in database {options.database}")
            text += f", tables in {options.database}"
        link.begin()
        await link.send(mysql.COM_QUIT)
        return text + tls


class _Link:
    """Packets, numbered as the protocol wants it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._sequence = 0

    def begin(self) -> None:
        """A command begins the numbers anew."""
        self._sequence = 0

    async def send(self, payload: bytes) -> None:
        await self._stream.send(mysql.frame(self._sequence, payload))
        self._sequence += 1

    async def receive(self) -> bytes:
        head = await self._stream.exactly(4)
        size = int.from_bytes(head[:3], "little")
        if size > _LONGEST:
            raise Sick(f"a packet of {size} bytes: more than {_LONGEST}, or no MySQL")
        self._sequence = head[3] + 1
        return await self._stream.exactly(size)


async def _log_in(link: _Link, greeting: mysql.Greeting, options: Options) -> None:
    plugin, nonce, password = greeting.plugin, greeting.nonce, options.password()
    if plugin not in (mysql.NATIVE, mysql.CACHING_SHA2):
        plugin = mysql.NATIVE  # the server's default; it asks for the one of this user
    proof = mysql.prove(plugin, password, nonce)
    await link.send(mysql.login(options.username, proof, plugin, options.database, options.tls))
    for _ in range(_MOST_TURNS):
        answer = await link.receive()
        mysql.raise_error(answer)
        if answer[0] == mysql.OK:
            return
        if answer[0] == mysql.SWITCH:
            plugin, nonce = mysql.read_switch(answer)
            await link.send(mysql.prove(plugin, password, nonce))
        elif answer == bytes((mysql.MORE,)) + mysql.FULL:
            if not options.tls:
                raise Sick("it wants the password itself, which is sent in TLS only: give --tls")
            await link.send(password.encode() + b"\0")
        elif answer != bytes((mysql.MORE,)) + mysql.FAST_OK:
            raise Sick("its login goes on in an unknown way")
    raise Sick(f"its login has no end after {_MOST_TURNS} turns")


async def _has_tables(link: _Link) -> bool:
    """Whether the database holds a table: one row of the answer is enough, the connection ends then anyway."""
    link.begin()
    await link.send(mysql.COM_QUERY + b"SHOW TABLES")
    columns = await link.receive()
    mysql.raise_error(columns)
    if columns != b"\x01":
        raise Sick("SHOW TABLES: the answer has not one column")
    for _ in ("its definition", "EOF"):
        mysql.raise_error(await link.receive())
    row = await link.receive()
    mysql.raise_error(row)
    return row[0] != mysql.EOF or len(row) >= 9  # a long row begins with the same byte
