# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of a service, as it goes into the state file `opstatus` and comes back.

mon's own fields stand in its order. Those that only BPVS knows follow them: mon ignores names that it does not know.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, Status
from bpvs.mon.core.values import PeriodState, ServiceState
from bpvs.text.mon.escape import decode, encode
from bpvs.text.mon.state import SERVICE_FIELDS, SavedService

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = frozenset(
    ("last_summary", "last_failure_summary", "last_failure_detail", "last_detail", "ack_comment", "last_traphost")
)
_NOT_NUMBERS = _TEXTS | {"failure_output", "trap_timer", "exitval", "last_check"}
_NUMBERS = (*(name for name in SERVICE_FIELDS if name not in _NOT_NUMBERS), "flaps", "changed", "duration")
_HOST = "host_failure:"  # before a host's name; the value is since when it fails
_UP_SENT = "up_sent:"  # before a period's label; the value is how many upalerts it sent since the last alert
_TELLING = "telling"  # the kind of alerts that were under way
_LONGEST = 1 << 16  # characters of what a monitor printed: it may have been a megabyte
_PERIOD_NAMES = {  # of the file -> of PeriodState
    "last_alert": "last_alert",
    "alert_sent": "alert_sent",
    "1stfailtime": "first_fail_time",
    "failcount": "fail_count",
}


def saved_of(state: ServiceState, telling: AlertKind | None = None) -> SavedService:
    """What the file keeps of a state: all but timers and what runs. `telling`: alerts of that kind are not over."""
    fields = {name: str(int(getattr(state, name))) for name in _NUMBERS}
    fields |= {name: getattr(state, name)[:_LONGEST] for name in _TEXTS}
    fields["exitval"] = "undef" if state.exitval is None else str(state.exitval)
    fields["first_success"] = str(state.first_success or "")  # mon 1.3.6 would tell scripts of a 0
    fields["last_check"] = "" if state.last_check is None else str(state.last_check)
    fields["failure_output"] = decode((state.failure_output or b"")[:_LONGEST])
    if state.last_output is not None:
        fields["last_output"] = decode(state.last_output[:_LONGEST])
    fields |= {f"{_HOST}{host}": str(since) for host, since in state.host_failures.items()}
    fields |= {f"{_UP_SENT}{label}": str(one.up_sent) for label, one in state.periods.items() if one.up_sent}
    if telling:
        fields[_TELLING] = telling.value
    return SavedService(state.key, fields, {label: _saved_period(one) for label, one in state.periods.items()})


def state_of(saved: SavedService) -> ServiceState:
    """The state that was saved; what is missing, or no number, is as of a service of which nothing is known."""
    state = ServiceState(saved.key)
    fields = saved.fields
    for name in _NUMBERS:
        setattr(state, name, _number(fields.get(name, ""), getattr(state, name)))
    for name in _TEXTS:
        setattr(state, name, fields.get(name, ""))
    state.exitval = _number_or_none(fields.get("exitval", ""))
    state.last_check = _number_or_none(fields.get("last_check", ""))
    state.failure_output = encode(fields["failure_output"]) if fields.get("failure_output") else None
    state.last_output = encode(fields["last_output"]) if "last_output" in fields else None
    state.host_failures = {
        name.removeprefix(_HOST): _number(since, 0) for name, since in fields.items() if name.startswith(_HOST)
    }
    state.periods = {label: _period_of(values) for label, values in saved.periods.items()}
    for label, period in state.periods.items():
        period.up_sent = _number(fields.get(f"{_UP_SENT}{label}", ""), 0)
    if fields.get(_TELLING):
        _tell_again(state, fields[_TELLING])
    return state


def _tell_again(state: ServiceState, kind: str) -> None:
    """The daemon was killed before its alerts were over: rather call them twice than not at all."""
    if kind == AlertKind.UP.value and state.op_status == Status.OK:
        state.op_status, state.first_failure = int(Status.FAIL), state.changed or state.last_success
        for period in state.periods.values():
            period.alert_sent = 1
    for period in state.periods.values():
        period.is_owed = True


def _saved_period(period: PeriodState) -> dict[str, str]:
    return {name: str(getattr(period, attribute)) for name, attribute in _PERIOD_NAMES.items()}


def _period_of(values: Mapping[str, str]) -> PeriodState:
    period = PeriodState()
    for name, attribute in _PERIOD_NAMES.items():
        setattr(period, attribute, _number(values.get(name, ""), 0))
    return period


def _number(text: str, otherwise: int) -> int:
    number = _number_or_none(text)
    return otherwise if number is None else number


def _number_or_none(text: str) -> int | None:
    """mon writes whole numbers, or nothing, or `undef`; the name of a status where somebody has set one."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
