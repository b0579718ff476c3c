# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a failure is told. The long time never passes, the short one always has after the pause."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Pause, fail, scenario, watch, well

_SAME, _OTHER_DETAIL, _OTHER = fail("h1\\nfirst\\n"), fail("h1\\nsecond\\n"), fail("h2\\nsecond\\n")
_ROUNDS = (_SAME, _SAME, _OTHER_DETAIL, _OTHER, _SAME, well(), _SAME)

SCENARIOS = [
    scenario("every_none", watch(ALERT, UP), *_ROUNDS),
    scenario("every_summary", watch("alertevery 2h", ALERT, UP), *_ROUNDS),
    scenario("every_summary_named", watch("alertevery 2h summary", ALERT, UP), *_ROUNDS),
    scenario("every_detail", watch("alertevery 2h observe_detail", ALERT, UP), *_ROUNDS),
    scenario("every_ignoring", watch("alertevery 2h ignore_summary", ALERT, UP), *_ROUNDS),
    scenario("every_strict", watch("alertevery 2h strict", ALERT), *_ROUNDS),
    scenario("every_strict_up", watch("alertevery 2h strict", ALERT, UP), *_ROUNDS),
    scenario("every_short", watch("alertevery 2s ignore_summary", ALERT, UP), _SAME, Pause(3), _SAME, Pause(3), _SAME),
]
