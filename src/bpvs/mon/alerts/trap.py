# SPDX-License-Identifier: GPL-2.0-or-later
"""trap.alert: tells other monitor daemons, which take it as a trap for the group and service of the same names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from bpvs.mon.alerts.calling import AlertFailed, Options, place, taken_apart
from bpvs.mon.threads import in_thread
from bpvs.text.mon.trap import VERSION, print_trap

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpvs.mon.alerts.calling import Calling
    from bpvs.mon.core.values import CallAlert

PORT = 2583
LONGEST = 60_000  # bytes of a datagram (RFC 768 ends at 65507)
_CUT = 16_000  # characters of the detail when all of it is too much: escaped each byte may take three


async def alert(call: CallAlert) -> str:
    """Sends one datagram to each host; nobody answers traps. AlertFailed if one could not be sent."""
    calling = taken_apart(call)
    found = read(calling.own)
    variables = call.environment
    user, password = variables.get("MON_TRAP_USER") or found.U, variables.get("MON_TRAP_PASS") or found.P
    datagram = _datagram(calling, user, password, variables.get("MON_RETVAL", "1"))
    failed = await in_thread(lambda: [told for host, port in found.hosts if (told := _send(host, port, datagram))])
    if failed:
        raise AlertFailed(f"trap.alert: {'; '.join(failed)}")
    return f"sent to {', '.join(host for host, _ in found.hosts)}"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("trap.alert")
    options.add_argument("-U", metavar="USER", default="")
    options.add_argument("-P", metavar="PASSWORD", default="")
    options.add_argument("hosts", nargs="+", type=lambda text: place(text, PORT), metavar="HOST[:PORT]")
    return options.read(words)


def _datagram(calling: Calling, user: str, password: str, status: str) -> bytes:
    """The tags in the order of Mon::Client."""
    fields = {
        "pro": str(VERSION),
        "usr": user,
        "pas": password,
        "spc": "0",
        "seq": "0",
        "typ": "trap",
        "grp": calling.key.group,
        "svc": calling.key.service,
        "sta": "0" if calling.is_up else status,
        "tsp": str(calling.epoch),
        "sum": calling.summary[:_CUT],
        "dtl": calling.detail,
    }
    datagram = print_trap(fields)
    return datagram if len(datagram) <= LONGEST else print_trap(fields | {"dtl": calling.detail[: _CUT // 4]})


def _send(host: str, port: int, datagram: bytes) -> str:
    """What went wrong, or ""; it may wait for a name server."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.sendto(datagram, where)
    except OSError as error:
        return f"{host}: {error.strerror}"
    return ""
