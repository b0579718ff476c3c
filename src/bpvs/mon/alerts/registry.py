# SPDX-License-Identifier: GPL-2.0-or-later
"""Which built-in alerts there are. A module is imported when a configuration names its alert."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bpvs.mon.core.values import CallAlert

    # Carries out the call; returns a line for the log. Raises BpvsError with a sentence when it could not.
    Alert = Callable[[CallAlert], Awaitable[str]]

# name -> module with `async def alert(call: CallAlert) -> str`; and, unless it takes any arguments, with
# `def read(words)`, which raises AlertFailed if they are not what it takes, and does nothing else
ALERTS = {
    "exec.alert": "bpvs.mon.alerts.exec",
    "file.alert": "bpvs.mon.alerts.file",
    "lvs.alert": "bpvs.mon.alerts.lvs",
    "mail.alert": "bpvs.mon.alerts.mail",
    "syslog.alert": "bpvs.mon.alerts.syslog",
    "test.alert": "bpvs.mon.alerts.test",
    "trap.alert": "bpvs.mon.alerts.trap",
    "webhook.alert": "bpvs.mon.alerts.webhook",
}


def find(name: str) -> Alert | None:
    """The built-in alert of that name."""
    module = ALERTS.get(name)
    return import_module(module).alert if module else None


def reader(name: str) -> Callable[[Sequence[str]], object] | None:
    """What looks at the own arguments of the built-in alert of that name; None: it takes any."""
    return getattr(import_module(ALERTS[name]), "read", None)
