# SPDX-License-Identifier: GPL-2.0-or-later
"""What touches the whole daemon: stop and start, resets, signals, its state in files, another life."""

from __future__ import annotations

import signal

from tests.mon.oracle.scenario import ALERT, UP, Configure, Restart, Result, Say, Signal, fail, scenario, watch, well
from tests.mon.oracle.side import OURS, REAL

_IDLE = ()
# After a signal mon 1.3.6 listens to nobody until some system call has failed in another way, as around a monitor.
_PULSE = """
hostgroup pulse h1

watch pulse
  service svc
  interval 1s
  monitor true.monitor
"""
_HUP = Signal(signal.SIGHUP, "opstatus")
_CHANGED = Configure("rec.alert before", "rec.alert after")
_BROKEN = Configure("numalerts 3", "numalerts three")
_MENDED = Configure("numalerts three", "numalerts 3")

# Round by round: 1-2 an outage begins, 3 stopped, 4 on again, 5 HUP, 6 on, 7 broken file, 8 mended, 9 another life,
# 10 on, 11 and another, 12 on, 13 a reset that forgets.
SCENARIOS = [
    scenario(
        "daemon",
        watch("alert rec.alert before", UP),
        Say("list state"),
        _IDLE,
        Say("stop"),
        _IDLE,
        (_CHANGED, _HUP),
        _IDLE,
        (_BROKEN, Say("reset keepstate"), Say("test config")),
        (_MENDED, Say("test config")),
        (Say("savestate all"), Restart(("-l", "all"), REAL)),
        _IDLE,
        (Say("savestate all"), Restart(("-l", "all"), OURS)),
        _IDLE,
        Say("reset"),
        _IDLE,
    ),
]
_HELD = Result("exit 1", is_run=False)
_EVERYWHERE = (
    *(fail(), fail(), _HELD, fail(), _IDLE, fail(), _IDLE, fail(), _IDLE),
    *(fail(), _IDLE, fail(), _IDLE, fail(), well()),
)
SCENARIOS += [
    scenario("life_of_outage", watch(ALERT, UP), *_EVERYWHERE),
    scenario("life_of_alertevery", watch("alertevery 2h", ALERT, UP), *_EVERYWHERE),
    scenario("life_of_numalerts", watch("numalerts 3", ALERT, UP), *_EVERYWHERE),
    scenario("life_of_alertafter", watch("alertafter 5", ALERT, UP), *_EVERYWHERE),
    scenario("life_of_replaced", watch("alert rec.alert before", UP), *_EVERYWHERE),
    scenario("life_of_startup", watch("startupalert rec.alert born", ALERT, UP), *_EVERYWHERE),
    scenario("life_of_upalert", watch(ALERT, UP), *_EVERYWHERE[:9], well(), _IDLE, fail(), _IDLE, well()),
    scenario("life_of_ack", watch(ALERT, UP), fail(), Say("ack $G svc 'my one'"), *_EVERYWHERE[2:]),
    scenario("life_of_disabled", watch(ALERT, UP), fail(), Say("disable service $G svc"), *_EVERYWHERE[2:]),
    scenario("life_of_disabled_watch", watch(ALERT, UP), fail(), Say("disable watch $G"), *_EVERYWHERE[2:]),
    scenario(
        "life_of_disabled_host",
        watch(ALERT, UP, hosts="$G-a $G-b"),
        fail(),
        Say("disable host $G-a"),
        *_EVERYWHERE[2:],
    ),
    # Last, so that what is asked for in the same round waits for it.
    scenario("scheduler", watch(ALERT) + _PULSE, _IDLE, _IDLE, _IDLE, (Say("list state"), Say("start"))),
]
