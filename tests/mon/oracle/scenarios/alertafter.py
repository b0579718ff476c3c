# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a failure has to last before it is told."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Pause, Trap, fail, scenario, watch, well

_DOWN = fail()
_OUTAGES = (_DOWN, _DOWN, _DOWN, _DOWN, well(), _DOWN, well(), _DOWN)
_BY_TRAPS = "hostgroup $G h1\n\nwatch $G\n  service svc\n  interval 1s\n  exclude_period wd {Sun-Sat}\n"
_TRAP = Trap(1, "h1", "detail")

SCENARIOS = [
    scenario("after_number", watch("alertafter 3", ALERT, UP), *_OUTAGES),
    scenario("after_number_once", watch("alertafter 1", ALERT, UP), *_OUTAGES),
    scenario("after_long", watch("alertafter 1h", ALERT, UP), *_OUTAGES),
    scenario("after_short", watch("alertafter 2s", ALERT, UP), _DOWN, Pause(3), _DOWN, (Pause(3), well()), _DOWN),
    scenario("after_number_in_time", watch("alertafter 3 99h", ALERT, UP), *_OUTAGES, _DOWN, _DOWN),
    # The window of two seconds is over after the pause, and the count begins anew.
    scenario(
        "after_window_over",
        f"{_BY_TRAPS}  monitor ctl.monitor\n  period\n    alertafter 2 2s\n    {ALERT}\n    {UP}\n",
        _TRAP,
        Pause(3),
        _TRAP,
        Pause(3),
        (_TRAP, _TRAP),
        Trap(0),
        (_TRAP, _TRAP),
        Trap(0),
    ),
    scenario("after_and_every", watch("alertafter 2", "alertevery 2h", ALERT, UP), *_OUTAGES),
    scenario("after_and_numalerts", watch("alertafter 2", "numalerts 1", ALERT, UP), *_OUTAGES),
]
