# SPDX-License-Identifier: GPL-2.0-or-later
"""Services that rely on others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mon.oracle.scenario import ALERT, UP, Result, fail, scenario, watch, well

if TYPE_CHECKING:
    from tests.mon.oracle.scenario import Event, Round, Scenario

_OTHERS = """
hostgroup $G-p h1 h2

watch $G-p
  service svc
  interval 1d
  monitor ctl.monitor
  service two
  interval 1d
  monitor ctl.monitor
"""
_P, _Q = "$G-p:svc", "$G-p:two"


def _parent(event: Result) -> Result:
    return Result(event.script, group="$G-p")


_DOWN, _UP = _parent(fail()), _parent(well())
_BEFORE_AND_AFTER = (fail(), (well(), _UP), fail(), _DOWN, fail(), well(), fail(), _UP, fail(), well())
_HELD = Result("exit 1", is_run=False)


def _relying(name: str, keyword: str, *rounds: Event | Round) -> Scenario:
    return scenario(name, watch(ALERT, UP, service=keyword) + _OTHERS, *rounds)


SCENARIOS = [
    _relying("depends", f"depend {_P}", *_BEFORE_AND_AFTER),
    _relying("depends_not", f"depend !{_P}", *_BEFORE_AND_AFTER),
    _relying("depends_on_either", f"depend {_P} || {_Q}", *_BEFORE_AND_AFTER),
    _relying("depends_on_both", f"depend ({_P} && {_Q})", *_BEFORE_AND_AFTER),
    _relying("depends_on_itself", "depend SELF:svc", fail(), well(), fail()),
    _relying("depends_on_nothing", "depend $G-p:nothing", fail(), well(), fail()),
    _relying("depends_for_monitor", f"depend {_P}\ndep_behavior m", _DOWN, _HELD, (_UP, fail()), _DOWN, _UP, well()),
    _relying("monitor_depends", f"monitordepend {_P}", _DOWN, _HELD, (_UP, fail()), _DOWN, _UP, well()),
    _relying("host_depends", f"hostdepend {_P}", fail(), _DOWN, fail("h2\\n"), _UP, well()),
    _relying("depends_for_hosts", f"depend {_P} {_Q}\ndep_behavior hm", fail(), _DOWN, fail("h2\\n"), _UP, well()),
    _relying("alert_depends", f"alertdepend {_P}", *_BEFORE_AND_AFTER),
    scenario(
        "depends_far",
        watch(ALERT, UP, service="depend $G-m:svc")
        + watch(ALERT, service=f"depend {_P}").replace("$G", "$G-m").replace("$G-m-p", "$G-p")
        + _OTHERS,
        (well(), well(group="$G-m"), _UP),
        _DOWN,
        (fail(), fail(group="$G-m")),
        _UP,
        (fail(), fail(group="$G-m")),
        well(group="$G-m"),
        fail(),
    ),
]
