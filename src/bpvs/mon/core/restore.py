# SPDX-License-Identifier: GPL-2.0-or-later
"""States that go on in another run of the daemon, or under another configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpvs.mon.core.values import Moment, PeriodState
from bpvs.mon.core.world import FAILING

if TYPE_CHECKING:
    from bpvs.mon.core.values import ServiceState


def adopt(old: ServiceState, fresh: ServiceState, now: Moment) -> ServiceState:
    """The old state for the periods that there are now; clocks are reckoned from epochs, runs are over."""
    return replace(
        old,
        is_running=False,
        interval=None,
        is_disabled=old.is_disabled or fresh.is_disabled,
        failing_since=_clock_of(old.first_failure, now),
        host_failures=dict(old.host_failures),
        periods={name: _adopt_period(old.periods.get(name, memory), now) for name, memory in fresh.periods.items()},
    )


def recovery(state: ServiceState, now: Moment) -> Moment | None:
    """When its last outage ended; None: it had none, or it lasts."""
    if state.op_status in FAILING or not state.flaps:
        return None
    clock = _clock_of(state.changed, now)
    return None if clock is None else Moment(clock, state.changed)


def _adopt_period(old: PeriodState, now: Moment) -> PeriodState:
    return replace(old, alerted=_clock_of(old.last_alert, now), window=_clock_of(old.first_fail_time, now))


def _clock_of(epoch: int, now: Moment) -> float | None:
    """`Moment.clock` of an epoch, now if it lies ahead; None for 0, which is never."""
    return now.clock - max(0.0, now.epoch - epoch) if epoch else None
