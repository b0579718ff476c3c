# SPDX-License-Identifier: GPL-2.0-or-later
"""syslog.alert: a line for the system's log (RFC 3164, as syslog(3) writes it); mon-alerts(7)."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from bpvs.mon.alerts.calling import AlertFailed, Options, taken_apart
from bpvs.mon.alerts.telling import headline, local_time

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpvs.mon.core.values import CallAlert

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITIES = {"user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "cron": 9, "authpriv": 10}
FACILITIES |= {f"local{number}": 16 + number for number in range(8)}
_FULL = "the log takes nothing now"


async def alert(call: CallAlert) -> str:
    """Sends one datagram, and waits for nobody; AlertFailed if nobody takes it."""
    calling = taken_apart(call)
    found = read(calling.own)
    level = LEVELS.index(found.l or ("notice" if calling.is_up else "crit"))
    text = f"<{FACILITIES[found.f] * 8 + level}>{local_time(calling.epoch)[4:]} {found.t}[{os.getpid()}]: "
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.setblocking(False)
        try:
            log.connect(found.socket)
            log.send((text + headline(calling)).encode("utf-8", "replace"))
        except OSError as error:
            reason = _FULL if isinstance(error, BlockingIOError) else error.strerror
            raise AlertFailed(f"nothing was logged, {found.socket}: {reason}") from error
    return f"logged at {found.f}.{LEVELS[level]}"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("syslog.alert")
    options.add_argument("-f", metavar="FACILITY", choices=FACILITIES, default="daemon")
    options.add_argument("-l", metavar="LEVEL", choices=LEVELS)
    options.add_argument("-t", metavar="TAG", default="mon")
    options.add_argument("--socket", metavar="PATH", default="/dev/log")
    return options.read(words)
