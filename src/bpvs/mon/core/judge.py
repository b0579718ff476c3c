# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a period tells its people: the checks that an alert has to pass, in mon's order; mon(8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, RepeatMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpvs.model.mon import Period
    from bpvs.mon.core.values import Moment, PeriodState, ServiceState

    Check = Callable[["_Question"], bool]

FAILURES = frozenset({AlertKind.FAILURE, AlertKind.TRAP, AlertKind.TRAP_TIMEOUT})
_ALL = frozenset(AlertKind)
_UP = frozenset({AlertKind.UP})
_ANSWERS = frozenset({AlertKind.UP, AlertKind.ACK})


@dataclass(frozen=True, slots=True)
class Case:
    """What a period may tell of.

    state: as it was before a success, and as it is after a failure
    status, output: the result; hosts `failed` and `recovered` since the last one
    """

    kind: AlertKind
    state: ServiceState
    status: int
    output: bytes
    now: Moment
    failed: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether this period, with what it remembers, tells of this case."""

    period: Period
    memory: PeriodState
    case: Case

    def elapsed(self, since: float) -> int:
        """Whole seconds, to the nearest: a check that came a moment early or late counts as the one planned."""
        return round(self.case.now.clock - since)

    def open_window(self) -> None:
        """`alertafter` counts from now."""
        now = self.case.now
        self.memory.window, self.memory.first_fail_time, self.memory.fail_count = now.clock, int(now.epoch), 0

    def window(self) -> int:
        """Seconds since the window of `alertafter` was opened, which the first failure does."""
        if self.memory.window is None:
            self.open_window()
        return 0 if self.memory.window is None else self.elapsed(self.memory.window)


def verdict(period: Period, memory: PeriodState, case: Case) -> str | None:
    """Why this period is silent; None: it calls its scripts. A failure that comes as far as `alertafter` is counted."""
    question = _Question(period, memory, case)
    for kinds, silences, reason in _CHECKS:
        if case.kind in kinds and silences(question):
            return reason
    return None


def record(memory: PeriodState, kind: AlertKind, now: Moment) -> None:
    """Remember that a round of scripts was called. Startup and disable alerts tell of no outage and do not count."""
    if kind is AlertKind.UP:
        memory.up_sent += 1
    elif kind in FAILURES or kind is AlertKind.ACK:
        memory.up_sent = 0
        memory.alert_sent += 1
        memory.last_alert = int(now.epoch)
        memory.alerted = now.clock
        memory.is_owed = False


def first_line(output: bytes) -> bytes:
    """The summary line as it was printed."""
    return output.partition(b"\n")[0]


def _outside(asked: _Question) -> bool:
    return asked.case.now.local not in asked.period.calendar


def _nothing_told(asked: _Question) -> bool:
    return not asked.memory.alert_sent and not asked.period.no_comp_alerts


def _up_told(asked: _Question) -> bool:
    return asked.period.no_comp_alerts and asked.memory.up_sent > 0


def _brief(asked: _Question) -> bool:
    since = asked.case.state.failing_since
    return since is not None and asked.elapsed(since) < asked.period.up_after


def _other_exit(asked: _Question) -> bool:
    return asked.period.exits is not None and asked.case.status not in asked.period.exits


def _told_enough(asked: _Question) -> bool:
    limit, memory = asked.period.limit, asked.memory
    return limit is not None and memory.alert_sent >= limit and not memory.is_owed


def _told_lately(asked: _Question) -> bool:
    every, alerted = asked.period.every, asked.memory.alerted
    if every is None or alerted is None or asked.memory.is_owed or asked.elapsed(alerted) >= every.seconds:
        return False
    before, output = asked.case.state.failure_output, asked.case.output
    if every.mode is RepeatMode.SUMMARY:
        return before is not None and first_line(before) == first_line(output)
    if every.mode is RepeatMode.DETAIL:
        return before == output
    return True


def _too_early(asked: _Question) -> bool:
    after = asked.period.after
    if after is None:
        return False
    if after.seconds is None:
        return asked.case.state.consec_failures < (after.failures or 0)
    if after.failures is None:
        return asked.window() <= after.seconds
    if asked.window() > after.seconds:
        asked.open_window()
    asked.memory.fail_count += 1
    return asked.memory.fail_count < after.failures


_CHECKS: tuple[tuple[frozenset[AlertKind], Check, str], ...] = (
    (_ALL, _outside, "now is outside the period"),
    (_ANSWERS, _nothing_told, "no alert was sent before"),
    (_UP, _up_told, "no alert was sent since the last upalert"),
    (_UP, _brief, "upalertafter: the outage was brief"),
    (FAILURES, _other_exit, "alertexitrange: another exit status"),
    (FAILURES, _told_enough, "numalerts: all were sent"),
    (FAILURES, _told_lately, "alertevery: one was sent lately"),
    (FAILURES, _too_early, "alertafter: not long enough yet"),
)
