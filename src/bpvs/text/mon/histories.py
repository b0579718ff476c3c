# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of the alert history, the failure history and the downtime log; every time is an epoch in seconds."""

from __future__ import annotations

import re

from bpvs.model import BpvsError
from bpvs.model.mon import AlertKind, Key
from bpvs.model.value import dataclass

ALERT_WORDS = {
    AlertKind.FAILURE: "alert",
    AlertKind.UP: "upalert",
    AlertKind.STARTUP: "startupalert",
    AlertKind.ACK: "ackalert",
    AlertKind.DISABLE: "disablealert",
    AlertKind.TRAP: "trapalert",
    AlertKind.TRAP_TIMEOUT: "traptimeoutalert",
    AlertKind.TEST: "testalert",  # in the log alone
}
_KINDS = {word: kind for kind, word in ALERT_WORDS.items()}
_HISTORY = re.compile(r"(\w+) (\S+) (\S+) (\d+) (\S+) \(([^)]*)\) ?(.*)", re.DOTALL)


class BadLine(BpvsError):
    """A line that is not what its file holds."""

    text = "a line is not what its file holds"


@dataclass(frozen=True, slots=True)
class History:
    """An alert was called; `arguments` are the script's own."""

    kind: AlertKind
    key: Key
    epoch: int
    path: str
    arguments: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing result."""

    key: Key
    epoch: int
    summary: str


@dataclass(frozen=True, slots=True)
class Downtime:
    """An outage that ended at `ended`, began at `began` and lasted `seconds`; `interval` 0: only traps told of it."""

    key: Key
    ended: int
    began: int
    seconds: int
    interval: int
    summary: str


def print_history(entry: History) -> str:
    """`alert GROUP SERVICE EPOCH /path/script (ARGUMENTS) SUMMARY`."""
    called = f"{entry.path} ({' '.join(entry.arguments)})"
    key = entry.key
    return f"{ALERT_WORDS[entry.kind]} {key.group} {key.service} {entry.epoch} {called} {_one_line(entry.summary)}"


def parse_history(line: str) -> History:
    """What print_history() wrote; BadLine. Arguments end at the first `)`, one that holds blanks is read as several."""
    match = _HISTORY.fullmatch(line.rstrip("\n"))
    if match is None or match[1] not in _KINDS:
        raise BadLine(
            f"{line.rstrip()!r} is no alert: right would be `alert GROUP SERVICE EPOCH /path (ARGUMENTS) SUMMARY`"
        )
    kind, group, service, epoch, path, arguments, summary = match.groups()
    return History(_KINDS[kind], Key(group, service), int(epoch), path, tuple(arguments.split()), summary)


def print_failure(entry: Failure) -> str:
    """`GROUP SERVICE EPOCH SUMMARY`."""
    return f"{entry.key.group} {entry.key.service} {entry.epoch} {_one_line(entry.summary)}"


def print_downtime(entry: Downtime) -> str:
    """`ENDED GROUP SERVICE BEGAN SECONDS INTERVAL SUMMARY`."""
    key, times = entry.key, f"{entry.began} {entry.seconds} {entry.interval}"
    return f"{entry.ended} {key.group} {key.service} {times} {_one_line(entry.summary)}"


def downtime_header(epoch: int) -> str:
    """The four comment lines that a start writes into the downtime log."""
    return (
        f"#\n# downtime log start {epoch}\n"
        "# time back up, group, service, first failure, downtime, interval, summary\n#\n"
    )


def _one_line(summary: str) -> str:
    """A summary is one line by nature; a trap's may claim otherwise."""
    return summary.replace("\n", " ")
