# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as it is, with a clock at two places: when a check was due, and when its monitor begins.

Arguments as those of `mon`. At its end (SIGTERM) it prints one line of JSON: for each check the moment at which it
began (CLOCK_MONOTONIC) and how late that was, in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from bpvs.mon import runner
from bpvs.mon.core.launcher import Launcher
from bpvs.mon.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import StartMonitor


def measured() -> int:
    """The daemon's exit code."""
    due: dict[Key, float] = {}
    late: list[tuple[float, float]] = []
    enqueue, checked = Launcher.enqueue, runner._checked  # noqa: SLF001 - the places where the clocks belong

    def noting_enqueue(self: Launcher, key: Key, moment: float) -> None:
        due[key] = moment
        enqueue(self, key, moment)

    async def noting_checked(name: str, arguments: Sequence[str], effect: StartMonitor) -> tuple[int, bytes]:
        now = time.monotonic()
        late.append((round(now, 3), round(now - due[effect.key], 5)))
        return await checked(name, arguments, effect)

    setattr(Launcher, "enqueue", noting_enqueue)  # noqa: B010 - mypy lets nobody assign to a method
    runner._checked = noting_checked  # noqa: SLF001 - as above
    code = main()
    print(json.dumps(late), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(measured())
