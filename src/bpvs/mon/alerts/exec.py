# SPDX-License-Identifier: GPL-2.0-or-later
"""exec.alert: any program with its own arguments; what happened is in its environment and stdin; mon-alerts(7)."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

from bpvs.mon.alerts.calling import AlertFailed, Options, taken_apart
from bpvs.mon.alerts.telling import one_line
from bpvs.mon.processes import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpvs.mon.core.values import CallAlert

PATIENCE = 3600.0  # seconds; the daemon's alert_timeout is what ends it, by cancelling
_SHOWN = 200  # characters of what a failing program said


async def alert(call: CallAlert) -> str:
    """Runs it to its end, without a shell; AlertFailed if its exit code is not 0."""
    calling = taken_apart(call)
    found = read(calling.own)
    path = shutil.which(found.command)
    if path is None:
        raise AlertFailed(f"exec.alert: there is no program {found.command!r}; an absolute path is found for certain")
    environment = {**call.environment, "MON_HOSTS": " ".join(calling.hosts), "MON_TIME": str(calling.epoch)}
    outcome = await Process.start((path, *found.arguments), environment, call.stdin).outcome(PATIENCE)
    if outcome.status != 0:
        said = one_line(outcome.output.decode(errors="replace"))[:_SHOWN] or "no word"
        raise AlertFailed(f"{path} gave exit code {outcome.status}: {said}")
    return f"{path} ended well after {outcome.duration:.1f} s"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("exec.alert")
    options.add_argument("command")
    options.add_argument("arguments", nargs=argparse.REMAINDER)
    return options.read(words)
