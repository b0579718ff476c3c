# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as it is, with a clock at two places: when a check was due, and when its monitor begins.

Arguments as those of `mon`. At its end (SIGTERM) it prints one line of JSON: for each check the moment at which it began
(CLOCK_MONOTONIC) and how late that was, in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from bpvs.mon.core.launcher import Launcher
from bpvs.mon.main import main
from bpvs.mon.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import Outcome, StartMonitor


def measured() -> int:
    """The daemon's exit code."""
    due: dict[Key, float] = {}
    late: list[tuple[float, float]] = []
    enqueue, run = Launcher.enqueue, Runner._run_built_in  # noqa: SLF001 - the place where the clock belongs

    def noting_enqueue(launcher: Launcher, key: Key, moment: float) -> None:
        due[key] = moment
        enqueue(launcher, key, moment)

    async def noting_run(runner: Runner, name: str, arguments: Sequence[str], effect: StartMonitor) -> Outcome:
        now = time.monotonic()
        late.append((round(now, 3), round(now - due[effect.key], 5)))
        return await run(runner, name, arguments, effect)

    Launcher.enqueue = noting_enqueue  # type: ignore[method-assign]
    Runner._run_built_in = noting_run  # type: ignore[method-assign]  # noqa: SLF001 - as above
    code = main()
    print(json.dumps(late), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(measured())
