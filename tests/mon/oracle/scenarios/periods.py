# SPDX-License-Identifier: GPL-2.0-or-later
"""Periods: several of them, those that are not now, and services that rest."""

from __future__ import annotations

from tests.mon.oracle.scenario import ALERT, UP, Result, Say, fail, scenario, watch, well

_NEVER = "period none\n    alert rec.alert never\n    upalert rec.alert never\n"
_OUTAGE = (fail(), fail(), fail(), well())

SCENARIOS = [
    scenario(
        "periods_labelled",
        watch("alert rec.alert first") + f"  period LATE: wd {{Sun-Sat}}\n    alertafter 2\n    {ALERT}\n    {UP}\n",
        *_OUTAGE,
        Say("test alert $G svc 3 LATE"),
        Say("test alert $G svc 3 wd {Sun-Sat}"),
        Say("test alert $G svc 3 NONE"),
    ),
    scenario("period_outside", watch(ALERT, UP).replace("  period wd {Sun-Sat}\n", _NEVER), *_OUTAGE),
    scenario("periods_inside_and_outside", watch(ALERT, UP) + f"  {_NEVER}", *_OUTAGE),
    scenario("period_empty", watch(ALERT, UP).replace("period wd {Sun-Sat}", "period"), *_OUTAGE),
    scenario(
        "periods_not_counted",
        watch("alerts_dont_count", ALERT, UP) + f"  period Q: hr {{0-23}}\n    {ALERT}\n    {UP}\n",
        *_OUTAGE,
    ),
    scenario(
        "period_missing", "hostgroup $G h1\n\nwatch $G\n  service svc\n  interval 1d\n  monitor ctl.monitor\n", *_OUTAGE
    ),
    scenario(
        "service_rests", watch(ALERT, UP, service="exclude_period wd {Sun-Sat}"), (), Result("exit 1", is_run=False)
    ),
    scenario("service_does_not_rest", watch(ALERT, UP, service="exclude_period none"), *_OUTAGE),
    scenario("failure_interval", watch(ALERT, UP, service="failure_interval 20h"), well(), *_OUTAGE),
    scenario("interval_in_units", watch(ALERT, UP).replace("1d", "30.5H"), *_OUTAGE),
    scenario("randskew", watch(ALERT, UP, service="randskew 5m"), *_OUTAGE),
]
