# SPDX-License-Identifier: GPL-2.0-or-later
"""A mon.cf as values: what is watched, how often, and who is told; mon(8) names the keywords.

Every time is in seconds. Nothing here knows the file's syntax (`bpvs.text.mon`) or what happens (`bpvs.mon.core`).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

from bpvs.model.mon.calendar import Calendar
from bpvs.model.mon.expression import Expression
from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class AlertKind(Enum):
    """What a script is told of; the values are those of MON_ALERTTYPE."""

    FAILURE = "failure"
    UP = "up"
    STARTUP = "startup"
    ACK = "ack"
    DISABLE = "disable"
    TRAP = "trap"
    TRAP_TIMEOUT = "traptimeout"
    TEST = "test"


class RepeatMode(Enum):
    """What makes `alertevery` let another alert through before its time."""

    SUMMARY = "summary"  # another first line of output
    DETAIL = "observe_detail"  # any other output
    TIME = "ignore_summary"  # nothing; a success starts anew
    STRICT = "strict"  # nothing, a success neither


class Behaviour(Enum):
    """What a dependency that is down prevents (`dep_behavior`)."""

    ALERT = "a"
    MONITOR = "m"
    HOSTS = "hm"


class Status(IntEnum):
    """The operational status of a service, as in the client protocol and MON_OPSTATUS."""

    FAIL = 0
    OK = 1
    COLDSTART = 2
    WARMSTART = 3
    LINKDOWN = 4
    UNKNOWN = 5
    TIMEOUT = 6
    UNTESTED = 7
    DEPEND = 8
    WARN = 9


class Key(NamedTuple):
    """The name of a service: its group's and its own; a tuple, since every step of a check looks something up by it."""

    group: str
    service: str

    def __str__(self) -> str:
        return f"{self.group}:{self.service}"


@dataclass(frozen=True, slots=True)
class Hostgroup:
    """Hosts in the file's order; `disabled` are those written with a star, which start disabled."""

    name: str
    hosts: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExitRange:
    """Exit codes from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, code: int) -> bool:
        return self.first <= code <= self.last


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One `alert`, `upalert`, ... line: the script's name, its own arguments, and the exit codes that it wants."""

    script: str
    arguments: tuple[str, ...] = ()
    exits: ExitRange | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """`alertevery`: no second alert within `seconds`, unless `mode` sees something new."""

    seconds: int
    mode: RepeatMode = RepeatMode.SUMMARY


@dataclass(frozen=True, slots=True)
class After:
    """`alertafter`: N failures in a row, or failing for longer than `seconds`, or (both set) N failures within them."""

    failures: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """When alerts are sent and which. `key` is the label, else the text as written: clients name the period by it."""

    key: str
    calendar: Calendar
    lines: Mapping[AlertKind, tuple[AlertLine, ...]]
    every: Repeat | None = None
    after: After | None = None
    up_after: int = 0  # upalerts only of outages that lasted so long
    limit: int | None = None  # numalerts
    no_comp_alerts: bool = False  # upalerts without an alert before them
    dont_count: bool = False  # alerts_dont_count
    exits: ExitRange | None = None  # alertexitrange


@dataclass(frozen=True, slots=True)
class Service:
    """A service of a watch."""

    key: Key
    description: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    interval: float | None = None  # None: only traps tell of it
    failure_interval: float | None = None
    randskew: float = 0
    monitor: tuple[str, ...] = ()  # the program's name and its arguments, without `;;`
    monitor_text: str = ""  # as written
    appends_hosts: bool = True  # False: the line ended in `;;`
    timeout: float | None = None  # BPVS's own keyword; None: `Settings.monitor_timeout`, or the interval if longer
    allow_empty_group: bool = False
    trap_timeout: float | None = None
    trap_duration: float | None = None
    depend: Expression | None = None
    depend_behaviour: Behaviour = Behaviour.ALERT
    alert_depend: Expression | None = None
    monitor_depend: Expression | None = None
    host_depend: Expression | None = None
    depend_memory: float = 0
    exclude_hosts: tuple[str, ...] = ()
    exclude_period: Calendar | None = None
    redistribute: AlertLine | None = None
    unack_summary: bool = False
    periods: tuple[Period, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """The `name = value` lines. None: not in the file, so the command line's value or the default holds."""

    alertdir: str | None = None
    mondir: str | None = None
    basedir: str | None = None
    cfbasedir: str | None = None
    statedir: str | None = None
    logdir: str | None = None
    authfile: str | None = None
    authtype: tuple[str, ...] | None = None
    pamservice: str | None = None
    userfile: str | None = None
    serverbind: str | None = None
    trapbind: str | None = None
    serverport: int | None = None
    trapport: int | None = None
    clientallow: tuple[str, ...] | None = None
    pidfile: str | None = None
    maxprocs: int | None = None
    histlength: int | None = None
    historicfile: str | None = None
    historictime: float | None = None
    randstart: float | None = None
    cltimeout: float | None = None
    monerrfile: str | None = None
    dtlogfile: str | None = None
    dtlogging: bool | None = None
    dep_recur_limit: int | None = None
    startupalerts_on_reset: bool | None = None
    monremote: str | None = None
    exclude_period: Calendar | None = None
    syslog_facility: str | None = None
    monitor_timeout: float | None = None  # BPVS's own: of services without `timeout`; default 300
    alert_timeout: float | None = None  # BPVS's own: after it an alert is killed; default 60


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file. Groups, services and periods keep the file's order."""

    settings: Settings
    hostgroups: Mapping[str, Hostgroup]
    services: Mapping[Key, Service]  # watches in order, their services in order
    views: Mapping[str, tuple[str, ...]]  # members are `group` or `group:service`
    aliases: Mapping[str, tuple[str, ...]]  # lines as written
    notices: tuple[str, ...] = ()  # what is odd but no error, each a sentence with its line number
