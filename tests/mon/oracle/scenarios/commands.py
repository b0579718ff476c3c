# SPDX-License-Identifier: GPL-2.0-or-later
"""What people command: acknowledgements, disabling, tests of alerts, clearing timers."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Say, fail, scenario, watch, well

_ACK = "ackalert rec.alert seen"
_ACKED = (
    Say("ack $G svc too_early"),
    fail("h1\\n"),
    Say("ack $G svc \"somebody is 'on' it\""),
    fail("h1\\n"),
    fail("h2\\n"),
    fail("h2\\n"),
    well(),
    fail("h1\\n"),
)

SCENARIOS = [
    scenario("ack", watch(ALERT, UP, _ACK), *_ACKED),
    scenario("ack_counts", watch("numalerts 2", ALERT, UP, _ACK), *_ACKED),
    scenario("ack_without_alert", watch("alertafter 9", ALERT, UP, _ACK), *_ACKED),
    scenario("ack_uncompensated", watch("no_comp_alerts", "alertafter 9", ALERT, UP, _ACK), *_ACKED),
    scenario("ack_undone", watch("alertevery 2h", ALERT, UP, _ACK, service="unack_summary 1"), *_ACKED),
    scenario("ack_not_undone", watch(ALERT, UP, _ACK, service="unack_summary no"), *_ACKED),
    scenario(
        "disabled_service",
        watch(ALERT, UP, "disablealert rec.alert off"),
        fail(),
        (Say("disable service $G svc"), fail()),
        well(),
        (Say("enable service $G svc"), fail()),
        (Say("disable service $G nothing"), well()),
    ),
    scenario(
        "disabled_watch",
        watch(ALERT, UP),
        fail(),
        (Say("disable watch $G"), fail()),
        (Say("enable watch $G"), well()),
        fail(),
        Say("disable watch $G"),
    ),
    scenario(
        "tested_alerts",
        watch(ALERT, UP, _ACK, "startupalert rec.alert born", "disablealert rec.alert off"),
        *(
            Say(f"test {kind} $G svc 2 wd {{Sun-Sat}}")
            for kind in ("alert", "upalert", "ackalert", "startupalert", "disablealert")
        ),
        Say("test alert $G nothing 2 wd {Sun-Sat}"),
        fail(),
        Say("test upalert $G svc 0 wd {Sun-Sat}"),
        well(),
    ),
    scenario(
        "cleared_every", watch("alertevery 2h", ALERT, UP), fail(), fail(), Say("clear timers $G svc"), fail(), well()
    ),
    scenario("cleared_after", watch("alertafter 2", ALERT, UP), fail(), Say("clear timers $G svc"), fail(), fail()),
    scenario(
        "got_and_set", watch(ALERT, UP), fail(), Say("get $G svc last_summary"), Say("get $G svc interval"), well()
    ),
]
