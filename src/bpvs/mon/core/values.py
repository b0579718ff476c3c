# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into the engine and what comes out: moments, results, and effects that the shell carries out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpvs.text.mon.histories import Downtime, History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpvs.model.mon import AlertKind, Key

NO_SUMMARY = "(NO SUMMARY)"  # of a failure whose first line is blank


@dataclass(frozen=True, slots=True)
class Moment:
    """Now in seconds on both clocks: `clock` never jumps (timers), `epoch` is the wall clock (reports)."""

    clock: float
    epoch: float

    @classmethod
    def now(cls) -> Moment:
        """The present moment."""
        return cls(time.monotonic(), time.time())

    @property
    def local(self) -> time.struct_time:
        """The local time, which calendars look at."""
        return time.localtime(self.epoch)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a monitor ended: its exit code (0: all well), everything it printed, and the seconds that it took.

    Death by a signal, a timeout and a failed start are failures too: `status` is then 128 + the signal, 124 or 127,
    as in a shell, and `output` says so in its first line unless the monitor had printed one.
    """

    status: int
    output: bytes
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap that was accepted: somebody else's result for a service. `status` 0 is success."""

    key: Key
    status: int
    summary: str
    detail: str
    sender: str
    intended: Key | None = None  # where it was sent, if the group was unknown and default took it


@dataclass(frozen=True, slots=True)
class StartMonitor:
    """Effect: run this service's monitor, and report `Engine.finished(key, outcome, now)`.

    `hosts` are to be appended to `words`; `environment` is what the daemon adds to its own.
    """

    key: Key
    words: tuple[str, ...]
    hosts: tuple[str, ...]
    environment: Mapping[str, str]
    timeout: float


@dataclass(frozen=True, slots=True)
class StopMonitor:
    """Effect: the run of this service's monitor is of no interest any more (reset); end it, report nothing."""

    key: Key


@dataclass(frozen=True, slots=True)
class CallAlert:
    """Effect: call an alert script. `arguments` follow argv[0] in mon's order: `-s -g -h -t`, a flag, its own.

    `script` is the name as configured. Calls of one service are carried out one after the other, in the order in which
    they came.
    """

    key: Key
    kind: AlertKind
    script: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """Effect: a line for the log. `level` is syslog's word: alert, crit, err, warning, notice, info, debug."""

    level: str
    text: str


# A Downtime is a line of the downtime log, a History one of the alert history.
Effect = StartMonitor | StopMonitor | CallAlert | Log | Downtime | History


@dataclass(slots=True)
class PeriodState:
    """What a period remembers."""

    last_alert: int = 0  # epoch of the last call of any kind
    alert_sent: int = 0  # rounds since the last success
    first_fail_time: int = 0  # alertafter: start of the window (`1stfailtime`)
    fail_count: int = 0  # alertafter: failures in it (`failcount`)
    up_sent: int = 0  # upalerts since the last alert (no_comp_alerts)
    alerted: float | None = None  # Moment.clock of last_alert
    window: float | None = None  # Moment.clock of first_fail_time
    is_owed: bool = False  # a call may have been lost: the next one is made, whatever numalerts and alertevery say

    def clear(self) -> None:
        """Forget what was sent and what was counted, but not whether an upalert was (no_comp_alerts)."""
        self.alert_sent, self.is_owed = 0, False
        self.clear_timers()

    def clear_timers(self) -> None:
        """Begin to wait and to count anew; that there was an alert stays known, for the upalert."""
        self.last_alert = self.first_fail_time = self.fail_count = 0
        self.alerted = self.window = None


@dataclass(slots=True)
class ServiceState:
    """What is known of a service, by the names of the protocol's `list opstatus`; epochs are integers."""

    key: Key
    op_status: int = 7
    last_op_status: int = 7
    exitval: int | None = None
    last_success: int = 0
    first_success: int = 0
    last_failure: int = 0
    first_failure: int = 0
    last_failure_time: int = 0
    last_failure_summary: str = ""
    last_failure_detail: str = ""
    consec_failures: int = 0
    failure_count: int = 0
    alert_count: int = 0
    last_summary: str = ""
    last_detail: str = ""
    last_output: bytes | None = None
    failure_output: bytes | None = None  # of the last failure of the outage that lasts
    last_trap: int = 0
    last_traphost: str = ""
    last_check: int | None = None  # start of the last run
    duration: int = -1  # of the last run
    ack: int = 0
    ack_comment: str = ""
    depend_status: bool | None = None
    is_running: bool = False
    is_disabled: bool = False
    failing_since: float | None = None  # Moment.clock of first_failure
    trap_intended: Key | None = None  # of the last trap, if it was sent to a service that is not there
    interval: float | None = None  # in force; None: the configured one
    flaps: int = 0  # changes between ok and fail, in earlier lives of the daemon too
    changed: int = 0  # epoch of the last such change
    host_failures: dict[str, int] = field(default_factory=dict)  # host named in the failing summary -> since when
    periods: dict[str, PeriodState] = field(default_factory=dict)  # by Period.key
