# SPDX-License-Identifier: GPL-2.0-or-later
"""imap.monitor: a greeting and LOGOUT; with --username or -m a login; with --starttls in TLS (RFC 3501).

`imap.monitor [-p port] [-t secs] [-m mailbox]` as mon has it, except that mon logs in as ANONYMOUS always: here only
for -m without --username. TLS and logins with a name are BPVS's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Credentials
from bpvs.mon.monitors.dialogue import Dialogue, dial
from bpvs.mon.monitors.options import option, parse, port, seconds
from bpvs.mon.monitors.tls import Upgradable
from bpvs.mon.monitors.verdict import Sick, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_IMAP, _IMAPS = 143, 993
_MOST_LINES = 1000  # before the one that ends a command


def _quotable(text: str) -> str:
    """What can be a quoted string (RFC 3501, section 9)."""
    if not text.isascii() or not text.isprintable():
        raise ValueError("only printable ASCII can be quoted in IMAP")
    return text


@dataclass(frozen=True)
class Options(Credentials, Upgradable):
    """imap.monitor's."""

    timeout: float = option("-t --timeout", seconds, 30.0)
    port: int = option("-p --port", port, 0)
    mailbox: str = option("-m --mailbox", _quotable, "")
    username: str = option("--username", _quotable, "")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("imap.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> tuple[str, str]:
    with await dial(host, options.port or (_IMAPS if options.tls else _IMAP), options, watch) as talk:
        session = _Session(talk)
        greeting = await talk.hear()
        if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
            raise Sick(f"greeting: {printable(greeting)}")
        if options.starttls:
            await session.ask("STARTTLS")
            await talk.start_tls(host, options)
        if options.username:
            await session.ask(f"LOGIN {_quoted(options.username)} {_quoted(options.password())}", "LOGIN ***")
        elif options.mailbox:
            await session.ask("LOGIN ANONYMOUS ANONYMOUS")
        if options.mailbox:
            await session.ask(f"EXAMINE {_quoted(options.mailbox)}")
        await session.ask("LOGOUT")
        return talk.summary(printable(greeting))


class _Session:
    """Commands with tags."""

    def __init__(self, talk: Dialogue) -> None:
        self._talk = talk
        self._numbers = count(1)

    async def ask(self, line: str, shown: str = "") -> None:
        """A command that has to end with OK."""
        tag = f"A{next(self._numbers)}"
        shown = shown or line
        await self._talk.say(f"{tag} {line}", f"{tag} {shown}", shown.partition(" ")[0])
        for _ in range(_MOST_LINES):
            answer = await self._talk.hear()
            if answer.startswith(f"{tag} ".encode()):
                break
        else:
            raise Sick(f"{shown}: more than {_MOST_LINES} lines and no end")
        if not answer[len(tag) + 1 :].upper().startswith(b"OK"):
            raise Sick(f"{shown}: {printable(answer)}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
