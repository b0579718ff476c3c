# SPDX-License-Identifier: GPL-2.0-or-later
"""test.alert: notes when and how it was called, in test.alert.log of the log directory; mon-alerts(7)."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from bpvs.mon.alerts.file import append
from bpvs.mon.alerts.telling import one_line
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    from bpvs.mon.core.values import CallAlert


async def alert(call: CallAlert) -> str:
    """Appends the date and all arguments; AlertFailed if the file cannot be written."""
    path = os.path.join(call.environment.get("MON_LOGDIR", "."), "test.alert.log")
    line = f"{time.strftime('%c')} {one_line(' '.join(call.arguments))}\n"
    await in_thread(lambda: append(path, line))
    return f"written to {path}"
