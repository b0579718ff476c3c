# SPDX-License-Identifier: GPL-2.0-or-later
"""sip.monitor: sends OPTIONS and looks at the final status (RFC 3261, section 11).

`sip.monitor [-p port] [-t secs] [--tcp|--tls] [--uri sip:...] [--status 200-299,401]`. Alive are by default those that
do it (2xx), want a password first (401, 407) or do not do it (405, 501): all of them understood the question.
"""

from __future__ import annotations

import re
import secrets
import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.datagram import open_datagram
from bpvs.mon.monitors.options import flag, one_line, option, parse, port, statuses
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.tls import Secure, secure
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire import sip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_SIP, _SIPS = 5060, 5061
_LONGEST = 1 << 16
_HEAD_END = re.compile(rb"\r\n\r\n")
_FINAL = 200  # statuses below announce another answer
_AGAIN = 1.0  # seconds: T1, which begins with 0.5 and doubles, stays near it (section 17.1.2.2)
_MOST_PROVISIONAL = 20


def _uri(text: str) -> str:
    if not text.startswith(("sip:", "sips:")) or not text.isascii() or " " in one_line(text):
        raise ValueError(f"{text!r} is no SIP URI: right would be sip:host or sip:user@host")
    return text


@dataclass(frozen=True)
class Options(Secure):
    """sip.monitor's."""

    port: int = option("-p --port", port, 0)
    tcp: bool = flag("--tcp")
    uri: str = option("--uri", _uri, "")
    status: frozenset[int] = option("--status", statuses, frozenset((*range(200, 300), 401, 405, 407, 501)))


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("sip.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    identity = sip.Identity(secrets.token_hex(8), secrets.token_hex(4), secrets.token_hex(12))
    ask = _by_stream if options.tcp or options.tls else _by_datagrams
    answer = await ask(options, host, watch, identity)
    text = f"{answer.status} {answer.reason}".rstrip()
    if answer.status not in options.status:
        raise Sick(f"OPTIONS: {text}")
    return text


async def _by_stream(options: Options, host: str, watch: Stopwatch, identity: sip.Identity) -> sip.Answer:
    with await connect(host, options.port or (_SIPS if options.tls else _SIP), options, watch) as stream:
        tls = f", {await secure(stream, host, options)}" if options.tls else ""
        watch.begin("OPTIONS")
        transport = "TLS" if options.tls else "TCP"
        await stream.send(_request(options, host, transport, stream.socket, identity))
        for _ in range(_MOST_PROVISIONAL):
            answer = sip.read_answer((await stream.until(_HEAD_END, _LONGEST)).string, identity)
            if answer.status >= _FINAL:
                return sip.Answer(answer.status, answer.reason + tls)
    raise Sick(f"{_MOST_PROVISIONAL} provisional answers and no final one")


async def _by_datagrams(options: Options, host: str, watch: Stopwatch, identity: sip.Identity) -> sip.Answer:
    def final(raw: bytes) -> sip.Answer | None:
        answer = sip.read_answer(raw, identity)
        return answer if answer.status >= _FINAL else None

    with await open_datagram(host, options.port or _SIP, options, watch) as datagram:
        watch.begin("OPTIONS")
        return await datagram.ask(_request(options, host, "UDP", datagram.socket, identity), final, _AGAIN)


def _request(options: Options, host: str, transport: str, connection: socket.socket, identity: sip.Identity) -> bytes:
    address, port_number = connection.getsockname()[:2]
    bare = host.strip("[]")
    uri = options.uri or f"{'sips' if options.tls else 'sip'}:{_bracketed(bare)}"
    return sip.options_request(uri, transport, f"{_bracketed(address)}:{port_number}", identity)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
