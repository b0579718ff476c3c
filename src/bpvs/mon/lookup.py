# SPDX-License-Identifier: GPL-2.0-or-later
"""Which program serves the name of a monitor or alert: a script in its directories, else a built-in of that name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bpvs.mon.alerts.registry import ALERTS
from bpvs.mon.monitors.registry import MONITORS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from bpvs.model.mon import AlertLine, Config, Period
    from bpvs.mon.places import Places

BUILTIN = "builtin:"


class Lookup:
    """Looks once for each name; `places` of another moment (a reset) make another lookup."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._monitors: dict[str, str | None] = {}
        self._alerts: dict[str, str | None] = {}

    def monitor(self, name: str) -> str | None:
        """The path of the executable, or `builtin:NAME`; None if there is neither."""
        if name not in self._monitors:
            self._monitors[name] = _find(name, self._places.mondirs, MONITORS)
        return self._monitors[name]

    def alert(self, name: str) -> str | None:
        """The same of an alert."""
        if name not in self._alerts:
            self._alerts[name] = _find(name, self._places.alertdirs, ALERTS)
        return self._alerts[name]

    def missing(self, config: Config) -> list[str]:
        """A sentence for each name that nothing serves."""
        monitors = ((name, self.monitor(name), self._places.mondirs) for name in monitor_names(config))
        alerts = ((name, self.alert(name), self._places.alertdirs) for name in alert_names(config))
        return [
            f"{name}: no executable of this name in {_listed(directories)}, and no built-in one"
            for candidates in (monitors, alerts)
            for name, found, directories in candidates
            if found is None
        ]

    def built_in(self, config: Config) -> list[str]:
        """A sentence for each name that a built-in serves."""
        names = [name for name in monitor_names(config) if _is_built_in(self.monitor(name))]
        names += [name for name in alert_names(config) if _is_built_in(self.alert(name))]
        return [f"{name}: the built-in one serves, no script of this name was found" for name in names]


def monitor_names(config: Config) -> Iterator[str]:
    """The names of all monitors, each once, in the file's order."""
    return iter(dict.fromkeys(service.monitor[0] for service in config.services.values() if service.monitor))


def alert_names(config: Config) -> Iterator[str]:
    """The names of all alerts, each once, in the file's order."""
    lines = (line for service in config.services.values() for line in _alert_lines(service.periods))
    redistributed = (service.redistribute for service in config.services.values() if service.redistribute)
    return iter(dict.fromkeys(line.script for every in (lines, redistributed) for line in every))


def _alert_lines(periods: Iterable[Period]) -> Iterator[AlertLine]:
    for period in periods:
        for lines in period.lines.values():
            yield from lines


def _find(name: str, directories: Iterable[Path], built_ins: Collection[str]) -> str | None:
    """An absolute name is its own path."""
    for directory in directories:
        path = directory / name
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    return BUILTIN + name if name in built_ins else None


def _is_built_in(found: str | None) -> bool:
    return found is not None and found.startswith(BUILTIN)


def _listed(directories: Iterable[Path]) -> str:
    return ":".join(map(str, directories))
