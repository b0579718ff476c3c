# SPDX-License-Identifier: GPL-2.0-or-later
"""All scenarios. Those of one act are played side by side; what touches the whole daemon has an act of its own."""

from __future__ import annotations

from tests.mon.oracle.scenarios import (
    alertafter,
    alertevery,
    alerts,
    commands,
    dependencies,
    hosts,
    outputs,
    periods,
    restarts,
    traps,
)

ACTS = {
    "everyday": [
        *alertafter.SCENARIOS,
        *alertevery.SCENARIOS,
        *alerts.SCENARIOS,
        *commands.SCENARIOS,
        *dependencies.SCENARIOS,
        *hosts.SCENARIOS,
        *outputs.SCENARIOS,
        *periods.SCENARIOS,
        *traps.SCENARIOS,
    ],
    "restarts": restarts.SCENARIOS,
}
SCENARIOS = [one for act in ACTS.values() for one in act]
