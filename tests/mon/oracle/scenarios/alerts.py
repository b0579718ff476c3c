# SPDX-License-Identifier: GPL-2.0-or-later
"""Which alerts are called for what: numbers, exit statuses, kinds, arguments."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Say, fail, scenario, watch, well

_OUTAGES = (fail(), fail(), fail(), well(), fail(), well(), well())
_STATUSES = (fail(status=1), fail(status=2), fail(status=4), fail(status=5), fail(status=255), well())
_QUOTED = """alert rec.alert a1 "two words" 'q q' back\\ slash "" '"' $HOME ~ * ; | <x"""

SCENARIOS = [
    scenario("numalerts", watch("numalerts 2", ALERT, UP), *_OUTAGES),
    scenario("exit", watch("alert exit=1 rec.alert one", "alert exit=2-4 rec.alert few", ALERT, UP), *_STATUSES),
    scenario("exit_range", watch("alertexitrange 2-4", ALERT, UP), *_STATUSES),
    scenario("exit_one", watch("alertexitrange 5", ALERT, UP), *_STATUSES),
    scenario("exit_up", watch(ALERT, "upalert exit=1 rec.alert one", "upalert exit=0 rec.alert none"), *_STATUSES),
    scenario("uncompensated", watch("no_comp_alerts", "alertafter 2", ALERT, UP), fail(), well(), *_OUTAGES),
    scenario("up_alone", watch(UP), *_OUTAGES),
    scenario("up_alone_uncompensated", watch("no_comp_alerts", UP), *_OUTAGES),
    scenario("up_after_long", watch("upalertafter 1h", ALERT, UP), *_OUTAGES),
    scenario("startup", watch("startupalert rec.alert born", ALERT, UP), well(), fail(), well()),
    scenario("startup_numalerts", watch("numalerts 1", "startupalert rec.alert born", ALERT, UP), fail(), well()),
    scenario("startup_strict", watch("alertevery 2h strict", "startupalert rec.alert born", ALERT), fail(), well()),
    scenario("several", watch(ALERT, "alert other.alert second", "alert rec.alert third", UP, UP), *_OUTAGES),
    scenario("missing", watch("alert missing.alert", ALERT, UP), *_OUTAGES),
    scenario("missing_alone", watch("alert missing.alert", UP), *_OUTAGES),
    scenario("quoted", watch(_QUOTED, "upalert rec.alert 'it''s' a\\\"b"), fail(), well()),
    scenario("without_arguments", watch("alert rec.alert", "upalert rec.alert"), fail(), well()),
    scenario("redistribute", watch(ALERT, UP, service="redistribute rec.alert"), well("a\\n"), *_OUTAGES),
    scenario(
        "redistribute_with",
        watch(ALERT, UP, service="redistribute rec.alert red"),
        (Say("disable service $G svc"), fail()),
        well(),
        (Say("enable service $G svc"), fail()),
        Say("ack $G svc seen"),
        fail(),
        well(),
    ),
]
