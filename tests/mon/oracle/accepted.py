# SPDX-License-Identifier: GPL-2.0-or-later
"""Every accepted difference between what mon 1.3.6 and BPVS do in a scenario, by the row that tells it to operators."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mon.oracle.facts import ABSENT

if TYPE_CHECKING:
    from tests.mon.oracle.facts import Difference

PAGE = Path(__file__).parents[3] / "docs/differs-from-mon.md"
_THERE = "there"  # the fact that something happened at all
_ANY = ".*"


@dataclass(frozen=True, slots=True)
class Accepted:
    """`row`: first cell of a row of the page. Scenarios by glob; place, fact and values by patterns of the whole."""

    row: str
    scenarios: str
    place: str
    fact: str
    real: str
    ours: str

    def concerns(self, scenario: str) -> bool:
        """Whether it may occur in a scenario of this name."""
        return fnmatchcase(scenario, self.scenarios)

    def covers(self, found: Difference) -> bool:
        """Whether this difference is the one that is meant."""
        pairs = (
            (self.place, found.place),
            (self.fact, found.fact),
            (self.real, found.real),
            (self.ours, found.ours),
        )
        return self.concerns(found.scenario) and all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in pairs)


def _only_real(row: str, scenario: str, call: str) -> Accepted:
    """A call of a script that mon makes alone."""
    return Accepted(row, scenario, f"{_ANY} call {call}", _THERE, "yes", ABSENT)


def _only_ours(row: str, scenario: str, call: str) -> Accepted:
    """A call of a script that BPVS makes alone."""
    return Accepted(row, scenario, f"{_ANY} call {call}", _THERE, ABSENT, "yes")


def _follows(row: str, scenario: str, *fields: str) -> Accepted:
    """Fields of the status that follow from an alert that one side called alone, and what is remembered of it."""
    return Accepted(row, scenario, f"end|{_ANY} status {_ANY}", "|".join(("alerts", *fields)), _ANY, _ANY)


_STARTUP = "`startupalert`"
_STRICT = "`alertevery ... strict`"
_SIGNAL = "death of a monitor by a signal"
_DEPEND = "`alertdepend`"
_FORGOTTEN = "`trapduration` is over"
_OUTPUT = "the last output, after a reset that keeps the state and after a restart"
_EMPTY = "`MON_FIRST_SUCCESS` and `MON_LAST_SUMMARY` of monitors, once state was loaded"
_DOWN, _UP = "'down' #1", "'-u' 'up' #1"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "`MON_FAILED_HOSTS`, `MON_RECOVERED_HOSTS`", "*", ".* call .*", "MON_(FAILED|RECOVERED)_HOSTS", ABSENT, _ANY
    ),
    Accepted("sender of the last trap", "traps*", ".* status .*", "last_traphost", "", r"127\.0\.0\.1"),
    Accepted("sender of the last trap", "default", ".* status .*", "last_traphost", "", r"127\.0\.0\.1"),
    Accepted("sender of the last trap", "after_window_over", ".* status .*", "last_traphost", "", r"127\.0\.0\.1"),
    Accepted("sender of the last trap", "trap_forgotten", ".* status .*", "last_traphost", "", r"127\.0\.0\.1"),
    Accepted("a backslash in a trap of Mon::Client", "traps_odd", ".*", _ANY, r".*c\\\\d.*", r".*c\\d.*"),
    _only_real(_STRICT, "every_strict_up", f"{_ANY}{_DOWN}"),
    _follows(_STRICT, "every_strict_up", "alerts_sent", "last_alert"),
    _only_real("`upalertafter`", "up_after_long", f"{_ANY}{_UP}"),
    _follows("`upalertafter`", "up_after_long"),
    Accepted(_STARTUP, "*startup*", ".* status .*", "alerts_sent", "[1-9]", "[0-9]"),
    Accepted(_STARTUP, "*startup*", ".* status .*", "last_alert", "@[0-9]+", "@[0-9]+|-"),
    _only_ours(_STARTUP, "startup_numalerts", f"{_ANY}{_DOWN}"),
    _follows(_STARTUP, "startup_numalerts"),
    _only_ours(_STARTUP, "startup_strict", f"{_ANY}{_DOWN}"),
    _follows(_STARTUP, "startup_strict"),
    _follows(_STARTUP, "tested_alerts", "alerts_sent", "last_alert"),
    _only_ours("`disablealert`", "disabled_service", f"{_ANY}'-D' 'off' #1"),
    _follows("`disablealert`", "disabled_service"),
    Accepted("arguments in the alert history", "quoted", "end", "alerts", r".*two words\\22.*", ".* two words .*"),
    Accepted(
        "groups, services and aliases that are not there", "depends_on_nothing", ".* status .*", _THERE, "yes", ABSENT
    ),
    _only_ours(_DEPEND, "alert_depends", f"{_ANY}({_DOWN}|{_UP})"),
    _follows(_DEPEND, "alert_depends", "alerts_sent", "last_alert"),
    Accepted(_DEPEND, "alert_depends", ".* status .*", "depstatus", "", "[01]"),
    Accepted(_DEPEND, "alert_depends", ".* run .*", "MON_DEPEND_STATUS", ABSENT, "[01]"),
    _only_ours(_SIGNAL, "ends_by_signal", f"{_ANY}{_DOWN}"),
    Accepted(_SIGNAL, "ends_by_signal", ".* status .*", "opstatus", "1", "0"),
    Accepted(_SIGNAL, "ends_by_signal", ".* status .*", "exitval", "0", "137"),
    Accepted(_SIGNAL, "ends_by_signal", ".* status .*", "last_detail", "", r"died of SIGKILL \(signal 9\)\n"),
    _follows(_SIGNAL, "ends_by_signal", "alerts_sent", "(first|last)_(success|failure)", "last_alert"),
    _only_ours(_FORGOTTEN, "trap_forgotten", f"{_ANY}{_UP}"),
    Accepted(_FORGOTTEN, "trap_forgotten", ".* status .*", "last_success", "0", "@"),
    _follows(_FORGOTTEN, "trap_forgotten", "downtime", "exitval", "alerts_sent", "(first|last)_failure", "last_alert"),
    Accepted(_OUTPUT, "life_of_*", ".* (run|call) .*", "MON_LAST_OUTPUT", ABSENT, r"h1\ndetail\n"),
    Accepted(_OUTPUT, "life_of_upalert", f".* call {_ANY}{_UP}", "stdin", "", r"h1\ndetail\n"),
    Accepted(_EMPTY, "life_of_*", ".* run .*", "MON_FIRST_SUCCESS|MON_LAST_SUMMARY", "", ABSENT),
)


def may_call_otherwise(scenario: str) -> bool:
    """Whether one side may call an alert there that the other does not call."""
    return any(entry.fact == _THERE and entry.concerns(scenario) for entry in ACCEPTED)


def rows() -> set[str]:
    """First cells of the page's tables."""
    return {line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line.startswith("| ")}
