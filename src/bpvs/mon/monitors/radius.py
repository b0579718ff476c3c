# SPDX-License-Identifier: GPL-2.0-or-later
"""radius.monitor: may this user in; without --username: does the server live (Status-Server). RFC 2865, 5997.

`radius.monitor [-port n] [-secret s] [-username u] [-password p] [-attempts n] [-dictionary file]` as mon has it;
--secret-file, --password-file and -t are BPVS's own. The dictionary is not needed: the attributes used are known.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.credentials import Secret, kept_in, told
from bpvs.mon.monitors.datagram import open_datagram
from bpvs.mon.monitors.options import Common, one_line, option, parse, port, positive
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire import radius

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_LONGEST_PASSWORD = 128  # RFC 2865, section 5.2
_ACCEPTED = {radius.ACCESS_ACCEPT: "accepted", radius.ACCESS_CHALLENGE: "challenged"}


def _user(text: str) -> str:
    if len(one_line(text).encode()) > 253:
        raise ValueError("longer than 253 bytes")
    return text


@dataclass(frozen=True)
class Options(Common):
    """radius.monitor's."""

    port: int = option("-p -port", port, 1645)
    username: str = option("-username", _user, "")
    given: Secret | None = option("-password", told, None)
    kept: Secret | None = option("--password-file", kept_in, None)
    secret_given: Secret | None = option("-secret", told, None)
    secret_kept: Secret | None = option("--secret-file", kept_in, None)
    attempts: int = option("-attempts", positive, 9)
    dictionary: str = option("-dictionary", str, "")  # of Perl's library; attributes are known here

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.secret_given and not self.secret_kept:
            raise ValueError("it wants --secret or --secret-file: RADIUS does not answer without")
        if self.username and not self.given and not self.kept:
            raise ValueError("--username wants --password or --password-file")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per host."""
    options, more = parse("radius.monitor", Options, arguments)
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, host: str, watch: Stopwatch) -> str:
    secret = _read(options.secret_kept or options.secret_given).encode()
    request = _request(options, secret)
    with await open_datagram(host, options.port, options, watch) as datagram:
        watch.begin("request")
        read = partial(radius.read_answer, request=request, secret=secret)
        answer = await datagram.ask(request, read, options.timeout / options.attempts)
    words = f": {answer.message}" if answer.message else ""
    if answer.code == radius.ACCESS_REJECT:
        raise Sick(f"rejected{words}")
    if answer.code not in _ACCEPTED:
        raise Sick(f"an answer of kind {answer.code}, which is none to a request")
    return f"{_ACCEPTED[answer.code]}{words}"


def _request(options: Options, secret: bytes) -> bytes:
    """The same for all attempts: so the server sees that they are one."""
    identifier, authenticator = secrets.randbelow(256), secrets.token_bytes(16)
    if not options.username:
        return radius.status_server(identifier, authenticator, secret)
    password = _read(options.kept or options.given)
    if len(password.encode()) > _LONGEST_PASSWORD:
        raise Sick(f"the password is longer than {_LONGEST_PASSWORD} bytes")
    return radius.access_request(identifier, authenticator, secret, options.username, password)


def _read(secret: Secret | None) -> str:
    return secret.read() if secret else ""
