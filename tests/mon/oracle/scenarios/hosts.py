# SPDX-License-Identifier: GPL-2.0-or-later
"""Which hosts monitors and alerts are given, and what of a group is well."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Result, Say, fail, scenario, watch, well

_THREE = "$G-a $G-b $G-c"

SCENARIOS = [
    scenario("hosts_excluded", watch(ALERT, UP, service="exclude_hosts h2 h9"), fail(), well()),
    scenario(
        "hosts_disabled",
        watch(ALERT, UP, hosts=_THREE),
        (Say("disable host $G-b"), fail("a\\n")),
        (Say("disable host $G-a $G-c"), Result("exit 1", is_run=False)),
        (Say("enable host $G-b"), fail("b\\n")),
        (Say("enable host $G-a $G-c"), well()),
        Say("disable host $G-x"),
    ),
    scenario("host_alone", watch(ALERT, UP, hosts="$G-a"), Say("disable host $G-a"), Say("enable host $G-a"), fail()),
    scenario(
        "hosts_none",
        watch(ALERT, UP, service="allow_empty_group", hosts="$G-a"),
        (Say("disable host $G-a"), Say("enable watch $G"), fail("nobody\\n")),
    ),
    scenario("hosts_starred", watch(ALERT, UP, hosts="*$G-a $G-b"), fail(), Say("enable host $G-a"), fail()),
    scenario("hosts_not_appended", watch(ALERT).replace("ctl.monitor", "ctl.monitor -h own ;;"), fail(), well()),
    scenario("hosts_not_appended_tight", watch(ALERT).replace("ctl.monitor", "ctl.monitor own;;"), fail()),
    scenario(
        "hosts_of_two", watch(ALERT, UP), fail("h1\\n"), fail("h1 h2\\n"), fail("h2\\n"), fail("h2\\n"), well(), well()
    ),
]
