# SPDX-License-Identifier: GPL-2.0-or-later
"""file.alert: a record for each call, at the end of a file; mon-alerts(7)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bpvs.mon.alerts.calling import AlertFailed, Options, taken_apart
from bpvs.mon.alerts.telling import local_time, one_line
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpvs.mon.alerts.calling import Calling
    from bpvs.mon.core.values import CallAlert


async def alert(call: CallAlert) -> str:
    """Appends the record; AlertFailed if the file cannot be written."""
    calling = taken_apart(call)
    found = read(calling.own)
    path = os.path.join(found.d or call.environment.get("MON_LOGDIR", "."), found.file)
    text = record(
        calling, found.S, call.environment.get("MON_DESCRIPTION", ""), call.environment.get("MON_OPSTATUS", "")
    )
    await in_thread(lambda: append(path, text))
    return f"written to {path}"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("file.alert")
    options.add_argument("-d", metavar="DIR")
    options.add_argument("-S", metavar="SUBJECT")
    options.add_argument("file")
    return options.read(words)


def record(calling: Calling, subject: str | None, description: str, status: str) -> str:
    """mon's form: a line of what happened, DESCR=, OPSTATUS=, the detail, a full stop.

    A line of the detail that begins with a full stop gets another before it, so that it does not end the record.
    """
    key, summary = calling.key, one_line(calling.summary if subject is None else subject)
    head = f"{calling.kind.value} {key.group} {key.service} {calling.epoch} ({local_time(calling.epoch)}) {summary}"
    detail = [f".{line}" if line.startswith(".") else line for line in calling.detail.splitlines()]
    return "\n".join((head, f"DESCR={one_line(description)}", f"OPSTATUS={status}", *detail, ".")) + "\n"


def append(path: str, text: str) -> None:
    """One write at the end of a file, so that records of several alerts do not mix; AlertFailed."""
    try:
        with open(path, "ab", buffering=0) as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise AlertFailed(f"{path} cannot be written: {error.strerror}") from error
