# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is told of a case: the checks on the service, then on each of its periods, then the calls; mon(8)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, Behaviour
from bpvs.mon.core.calls import alert_arguments, alert_environment, brief, text_of
from bpvs.mon.core.depend import EndlessDependency
from bpvs.mon.core.judge import FAILURES, first_line, record, verdict
from bpvs.mon.core.values import NO_SUMMARY, CallAlert, Log
from bpvs.text.mon.histories import ALERT_WORDS, History
from bpvs.text.mon.secrets import without_secrets

if TYPE_CHECKING:
    from bpvs.model.mon import AlertLine, Period
    from bpvs.mon.core.depend import Dependencies
    from bpvs.mon.core.judge import Case
    from bpvs.mon.core.values import Effect, Moment, ServiceState
    from bpvs.mon.core.world import World

# Lines of the file by what is to be told: failures of every kind are told by `alert` lines.
LINES = {kind: AlertKind.FAILURE if kind in FAILURES else kind for kind in AlertKind}
_HEEDLESS_OF_DEPENDENCIES = frozenset({AlertKind.UP, AlertKind.STARTUP})
_HEEDLESS_OF_ACK = frozenset({AlertKind.UP, AlertKind.ACK, AlertKind.DISABLE})


class Alerts:
    """Makes a case into calls of scripts, and remembers in the state what was called."""

    def __init__(self, world: World, dependencies: Dependencies) -> None:
        self._world = world
        self._dependencies = dependencies

    def tell(self, case: Case, stdin: bytes) -> list[Effect]:
        """All calls that this case is worth; `stdin` is what the scripts read."""
        service = self._world.config.services[case.state.key]
        heedless = case.kind in _HEEDLESS_OF_DEPENDENCIES
        well, effects = (True, []) if heedless else self.look_at_dependency(case.state, case.now)
        if self._world.stopped_since is not None:
            return [*effects, _note(case, "the scheduler is stopped", "notice")]
        effects += self.redistribute(case, stdin)
        if self._disabled(case):
            return [*effects, _note(case, "it is disabled", "notice")]
        if not well:
            return [*effects, _note(case, "a service that it depends on fails")]
        if case.kind in FAILURES and service.unack_summary and _another_summary(case):
            _unack(case)
        if case.state.ack and case.kind not in _HEEDLESS_OF_ACK:
            return [*effects, _note(case, "the failure is acknowledged")]
        for period in service.periods:
            effects += self._tell_period(period, case, stdin)
        return effects

    def look_at_dependency(self, state: ServiceState, now: Moment) -> tuple[bool, list[Effect]]:
        """Whether the services that this one relies on let its alerts through; the state remembers what was found."""
        try:
            well = self._dependencies.holds(state.key, Behaviour.ALERT, now)
        except EndlessDependency as error:
            return False, [Log("err", f"no alerts for {state.key.group}/{state.key.service}: {error}")]
        if well is None:
            return True, []
        state.depend_status = well
        return well, []

    def redistribute(self, case: Case, stdin: bytes) -> list[Effect]:
        """The call of the service's `redistribute` script, which hears of every result and counts for nothing."""
        line = self._world.config.services[case.state.key].redistribute
        if line is None or self._world.stopped_since is not None:
            return []
        if self._world.scripts.alert(line.script) is None:
            return [_missing(line, case)]
        return [self._call(line, case, stdin)]

    def test(self, period: Period, case: Case, stdin: bytes) -> list[Effect]:
        """Calls of the scripts of one period, whatever any check says. Nothing is remembered."""
        calls: list[Effect] = []
        told = replace(case, kind=AlertKind.TEST) if case.kind is AlertKind.FAILURE else case
        for line in _lines(period, case):
            path = self._world.scripts.alert(line.script)
            calls += [_missing(line, case)] if path is None else [_calling(line, told, path, stdin)]
            if path is not None:
                calls.append(self._call(line, told, stdin))
        return calls

    def _disabled(self, case: Case) -> bool:
        state = case.state
        return case.kind is not AlertKind.DISABLE and (state.is_disabled or self._world.group_disabled(state.key.group))

    def _tell_period(self, period: Period, case: Case, stdin: bytes) -> list[Effect]:
        lines = _lines(period, case)
        if not lines:
            return []
        memory = case.state.periods[period.key]
        reason = verdict(period, memory, case)
        if reason:
            return [_note(case, f"period {period.key!r}: {reason}")]
        effects: list[Effect] = []
        called = False
        for line in lines:
            path = self._world.scripts.alert(line.script)
            if path is None:
                effects.append(_missing(line, case))
                continue
            called = True
            case.state.alert_count += 1
            effects += [_calling(line, case, path, stdin), self._remember(line, case, path, stdin)]
            effects.append(self._call(line, case, stdin))
        if called:
            record(memory, case.kind, case.now)
        return effects

    def _remember(self, line: AlertLine, case: Case, path: str, stdin: bytes) -> History:
        arguments = without_secrets(line.arguments)
        summary = brief(summary_of(stdin))
        entry = History(case.kind, case.state.key, int(case.now.epoch), path, arguments, summary)
        self._world.alert_history.append(entry)
        return entry

    def _call(self, line: AlertLine, case: Case, stdin: bytes) -> CallAlert:
        key = case.state.key
        hosts = self._world.enabled_hosts(key.group)
        return CallAlert(
            key,
            case.kind,
            line.script,
            alert_arguments(key, hosts, case.now, case.kind, line.arguments),
            alert_environment(self._world.config.settings, self._world.config.services[key], case),
            stdin,
        )


def summary_of(output: bytes) -> str:
    """The first line, or what stands for one that says nothing."""
    line = text_of(first_line(output))
    return line if line.strip() else NO_SUMMARY


def _lines(period: Period, case: Case) -> list[AlertLine]:
    lines = period.lines.get(LINES[case.kind], ())
    return [line for line in lines if line.exits is None or case.status in line.exits]


def _another_summary(case: Case) -> bool:
    before = case.state.failure_output
    return before is not None and first_line(before).split() != first_line(case.output).split()


def _unack(case: Case) -> None:
    """The failure is another one than people know of: it begins anew for them."""
    state = case.state
    state.ack, state.ack_comment, state.consec_failures = 0, "", 1
    for memory in state.periods.values():
        memory.clear_timers()


def _note(case: Case, reason: str, level: str = "debug") -> Log:
    key = case.state.key
    return Log(level, f"no {ALERT_WORDS[case.kind]} for {key.group}/{key.service}: {reason}")


def _missing(line: AlertLine, case: Case) -> Log:
    key = case.state.key
    return Log(
        "err",
        f"no {ALERT_WORDS[case.kind]} for {key.group}/{key.service}: there is no script {line.script!r} in alertdir",
    )


def _calling(line: AlertLine, case: Case, path: str, stdin: bytes) -> Log:
    key = case.state.key
    words = ",".join((path, *without_secrets(line.arguments)))
    return Log(
        "alert",
        f"calling {ALERT_WORDS[case.kind]} {line.script} for {key.group}/{key.service} ({words}) "
        f"{brief(summary_of(stdin))}",
    )
