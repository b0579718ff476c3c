# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of the alert history, the failure history and the downtime log; every time is an epoch in seconds."""

from __future__ import annotations

import re

from bpvs.model import BpvsError
from bpvs.model.mon import AlertKind, Key
from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ALERT_WORDS = {
    AlertKind.FAILURE: "alert",
    AlertKind.UP: "upalert",
    AlertKind.STARTUP: "startupalert",
    AlertKind.ACK: "ackalert",
    AlertKind.DISABLE: "disablealert",
    AlertKind.TRAP: "trapalert",
    AlertKind.TRAP_TIMEOUT: "traptimeoutalert",
}
_KINDS = {word: kind for kind, word in ALERT_WORDS.items()}
_ALERT = re.compile(r"(\w+) (\S+) (\S+) (\d+) (\S+) \(([^)]*)\) ?(.*)", re.DOTALL)
_DOWNTIME = re.compile(r"(\d+) (\S+) (\S+) (\d+) (\d+) (\d+) ?(.*)", re.DOTALL)


class BadLine(BpvsError):
    """A line that is not what its file holds."""

    text = "a line is not what its file holds"


@dataclass(frozen=True, slots=True)
class AlertEntry:
    """An alert was called; `arguments` are the script's own."""

    kind: AlertKind
    key: Key
    epoch: int
    path: str
    arguments: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class DowntimeEntry:
    """An outage that ended at `ended`, began at `began` and lasted `seconds`; `interval` 0: only traps told of it."""

    ended: int
    key: Key
    began: int
    seconds: int
    interval: int
    summary: str


def print_alert(kind: AlertKind, key: Key, epoch: int, path: str, arguments: Iterable[str], summary: str) -> str:
    """`alert GROUP SERVICE EPOCH /path/script (ARGUMENTS) SUMMARY`; the arguments are the script's own."""
    called = f"{path} ({' '.join(arguments)})"
    return f"{ALERT_WORDS[kind]} {key.group} {key.service} {epoch} {called} {_one_line(summary)}"


def parse_alert(line: str) -> AlertEntry:
    """What print_alert() wrote; BadLine. Arguments end at the first `)`, one that holds blanks is read as several."""
    match = _ALERT.fullmatch(line.rstrip("\n"))
    if match is None or match[1] not in _KINDS:
        raise BadLine(
            f"{line.rstrip()!r} is no alert: right would be `alert GROUP SERVICE EPOCH /path (ARGUMENTS) SUMMARY`"
        )
    kind, group, service, epoch, path, arguments, summary = match.groups()
    return AlertEntry(_KINDS[kind], Key(group, service), int(epoch), path, tuple(arguments.split()), summary)


def print_failure(key: Key, epoch: int, summary: str) -> str:
    """`GROUP SERVICE EPOCH SUMMARY`."""
    return f"{key.group} {key.service} {epoch} {_one_line(summary)}"


def print_downtime(ended: int, key: Key, began: int, seconds: int, interval: int, summary: str) -> str:
    """`ENDED GROUP SERVICE BEGAN SECONDS INTERVAL SUMMARY`."""
    return f"{ended} {key.group} {key.service} {began} {seconds} {interval} {_one_line(summary)}"


def parse_downtime(line: str) -> DowntimeEntry:
    """What print_downtime() wrote; BadLine."""
    match = _DOWNTIME.fullmatch(line.rstrip("\n"))
    if match is None:
        raise BadLine(
            f"{line.rstrip()!r} is no outage: right would be `ENDED GROUP SERVICE BEGAN SECONDS INTERVAL SUMMARY`"
        )
    ended, group, service, began, seconds, interval, summary = match.groups()
    return DowntimeEntry(int(ended), Key(group, service), int(began), int(seconds), int(interval), summary)


def downtime_header(epoch: int) -> str:
    """The four comment lines that a start writes into the downtime log."""
    return (
        f"#\n# downtime log start {epoch}\n"
        "# time back up, group, service, first failure, downtime, interval, summary\n#\n"
    )


def _one_line(summary: str) -> str:
    """A summary is one line by nature; a trap's may claim otherwise."""
    return summary.replace("\n", " ")
