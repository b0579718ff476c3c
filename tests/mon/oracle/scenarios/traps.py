# SPDX-License-Identifier: GPL-2.0-or-later
"""Results that are sent to the daemon, and those that are not."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Pause, Say, Trap, fail, scenario, watch, well

_ALONE = f"hostgroup $G h1 h2\n\nwatch $G\n  service svc\n  description sent\n  period\n    {ALERT}\n    {UP}\n"
_DOWN = Trap(1, "h1", "what is wrong\nwith it\n")


def _timed(keyword: str) -> str:
    return _ALONE.replace("  description", f"  {keyword}\n  description")


SCENARIOS = [
    scenario("traps", _ALONE, Trap(0, "fine"), _DOWN, _DOWN, Trap(3, "h2"), Trap(0, "fine", "again"), Trap(0)),
    scenario("traps_odd", _ALONE, Trap(1), Trap(2, " ", "x"), Trap(1, "a\nb", "c\\d 'e' \"f\""), Trap(0, "", "up")),
    scenario("traps_and_runs", watch(ALERT, UP), fail(), _DOWN, well(), _DOWN, Trap(0), fail(), well()),
    scenario("traps_acked", _ALONE, _DOWN, Say("ack $G svc mine"), _DOWN, Trap(0)),
    scenario(
        "traps_alertevery",
        _ALONE.replace("  period\n", "  period\n    alertevery 2h\n    numalerts 2\n"),
        _DOWN,
        _DOWN,
        Trap(1, "h2"),
        Trap(1, "h1"),
        Trap(0),
    ),
    scenario(
        "default",
        f"hostgroup $G h1\n\nwatch $G\n  service default\n  period\n    {ALERT}\n    {UP}\n",
        Trap(1, "lost", group="strange", service="thing", lands="default default"),
        Trap(1, "h1", service="thing", lands="default default"),
        Trap(0, group="strange", service="thing", lands="default default"),
    ),
    # One alert for the outage, however many seconds it has lasted.
    scenario(
        "trap_missing",
        _timed("traptimeout 2s").replace("  period\n", "  period\n    numalerts 1\n"),
        Pause(1),
        Pause(3),
        Pause(1),
        Pause(3),
        is_blurred=True,
    ),
    scenario("trap_forgotten", _timed("trapduration 1s"), _DOWN, Pause(3), Pause(1), Pause(3), is_blurred=True),
]
