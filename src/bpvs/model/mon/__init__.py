# SPDX-License-Identifier: GPL-2.0-or-later
"""The values of service monitoring: a configuration and what it is made of."""

from __future__ import annotations

from bpvs.model.mon.calendar import ALWAYS, Calendar
from bpvs.model.mon.config import (
    After,
    AlertKind,
    AlertLine,
    Behaviour,
    Config,
    ExitRange,
    Hostgroup,
    Key,
    Period,
    Repeat,
    RepeatMode,
    Service,
    Settings,
    Status,
)
from bpvs.model.mon.expression import Expression, Operation

__all__ = [
    "ALWAYS",
    "After",
    "AlertKind",
    "AlertLine",
    "Behaviour",
    "Calendar",
    "Config",
    "ExitRange",
    "Expression",
    "Hostgroup",
    "Key",
    "Operation",
    "Period",
    "Repeat",
    "RepeatMode",
    "Service",
    "Settings",
    "Status",
]
