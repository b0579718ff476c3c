# SPDX-License-Identifier: GPL-2.0-or-later
"""What one result, of a monitor or a trap, makes of the state of a service."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, RepeatMode, Status
from bpvs.mon.core.alerts import summary_of
from bpvs.mon.core.calls import text_of
from bpvs.mon.core.world import FAILING, named_hosts

if TYPE_CHECKING:
    from bpvs.model.mon import Service
    from bpvs.mon.core.values import Moment, Outcome, ServiceState, Trap


@dataclass(frozen=True, slots=True)
class Result:
    """A result: `kind` is what a failure is told as; `output` is what an alert reads."""

    kind: AlertKind
    status: int
    output: bytes
    summary: str
    detail: str


def of_monitor(outcome: Outcome) -> Result:
    """The result that a monitor printed: its first line is the summary, the rest the detail."""
    return _of_output(AlertKind.FAILURE, outcome.status, outcome.output)


def _of_output(kind: AlertKind, status: int, output: bytes) -> Result:
    summary, _, detail = text_of(output).partition("\n")
    return Result(kind, status, output, summary_of(output) if status else summary, detail)


def of_trap(trap: Trap) -> Result:
    """The result that a trap tells; as output, its detail stands behind an empty line, as mon 1.3.6 writes it."""
    summary = trap.summary.removesuffix("\n")
    output = f"{summary}\n\n{trap.detail}".encode("utf-8", "surrogateescape")
    return _of_output(AlertKind.TRAP, trap.status, output)


def of_silence(seconds: float, now: Moment) -> Result:
    """The failure that no trap came for so long."""
    detail = f"trap timeout after {seconds:g}s at {time.strftime('%a %b %e %H:%M:%S %Y', now.local)}\n"
    return Result(AlertKind.TRAP_TIMEOUT, 1, f"trap timeout\n{detail}".encode(), "trap timeout", detail)


def of_expiry(state: ServiceState) -> Result:
    """The success that is taken for granted when trapduration is over; what was said last stays."""
    return Result(AlertKind.TRAP, 0, state.last_output or b"", state.last_summary, state.last_detail)


def note_failure(state: ServiceState, result: Result, now: Moment) -> None:
    """What is known of a failure before anybody is told."""
    epoch = int(now.epoch)
    turn(state, Status.FAIL, now)
    state.failure_count += 1
    state.consec_failures += 1
    state.last_failure = state.last_failure_time = epoch
    state.last_summary = state.last_failure_summary = result.summary
    state.last_detail = state.last_failure_detail = result.detail


def note_success(state: ServiceState, now: Moment) -> None:
    """What is known of a success before anybody is told: the outage is still there to tell of."""
    turn(state, Status.OK, now)


def end_outage(state: ServiceState, result: Result, now: Moment, service: Service) -> None:
    """A success has been told: it is what is known now, instead of the outage."""
    forget_outage(state, service)
    state.last_success = int(now.epoch)
    state.last_summary, state.last_detail = result.summary, result.detail


def forget_outage(state: ServiceState, service: Service) -> None:
    """Nothing is known of an outage any more, nothing was told of it; but `alertevery ... strict` keeps its clock."""
    state.ack, state.ack_comment = 0, ""
    state.first_failure = state.last_failure = state.consec_failures = 0
    state.failing_since = state.failure_output = None
    for period in service.periods:
        memory = state.periods[period.key]
        last = (memory.last_alert, memory.alerted)
        memory.clear()
        if period.every and period.every.mode is RepeatMode.STRICT:
            memory.last_alert, memory.alerted = last


def turn(state: ServiceState, status: Status, now: Moment) -> None:
    """Another operational status. When well becomes failing an outage begins; that and the contrary are flaps."""
    was_failing, is_failing = state.op_status in FAILING, status in FAILING
    if is_failing and not was_failing:
        state.first_failure, state.failing_since = int(now.epoch), now.clock
    if is_failing != was_failing or state.op_status == Status.UNTESTED:
        state.changed = int(now.epoch)
        state.flaps += state.op_status != Status.UNTESTED
    state.last_op_status, state.op_status = state.op_status, status


def compare_hosts(state: ServiceState, result: Result, hosts: tuple[str, ...], now: Moment) -> tuple[str, ...]:
    """Remember which of `hosts` the result names as failing, and since when; those that it names no more."""
    failing = named_hosts(result.summary, hosts) if result.status else ()
    recovered = tuple(host for host in state.host_failures if host not in failing)
    state.host_failures = {host: state.host_failures.get(host, int(now.epoch)) for host in failing}
    return recovered
