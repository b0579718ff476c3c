# SPDX-License-Identifier: GPL-2.0-or-later
"""The downtime log and the alert history, in mon's formats."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bpvs.text.mon.histories import BadLine, downtime_header, parse_history, print_downtime, print_history

if TYPE_CHECKING:
    from bpvs.mon.configuration import Setup
    from bpvs.mon.disk import Disk
    from bpvs.text.mon.histories import Downtime, History

_NEWEST = 1 << 20  # bytes at the end of the history that are looked at


class Logbooks:
    """`setup` says which files there are, and may change at any time."""

    def __init__(self, setup: Setup, disk: Disk) -> None:
        self.setup = setup
        self._disk = disk

    @property
    def _has_downtime_log(self) -> bool:
        return bool(self.setup.config.settings.dtlogging)

    def begin(self, epoch: float) -> None:
        """A start or reset."""
        if self._has_downtime_log:
            self._disk.append(self.setup.places.dtlogfile, downtime_header(int(epoch)))

    def note_downtime(self, entry: Downtime) -> None:
        """An outage has ended."""
        if self._has_downtime_log:
            self._disk.append(self.setup.places.dtlogfile, f"{print_downtime(entry)}\n")

    def note_alert(self, entry: History) -> None:
        """An alert was called."""
        if self.setup.places.historicfile:
            self._disk.append(self.setup.places.historicfile, f"{print_history(entry)}\n")

    def downtimes(self) -> list[str] | None:
        """The lines of the downtime log without its comments; None: there is none. OSError."""
        if not self._has_downtime_log:
            return None
        text = self.setup.places.dtlogfile.read_text("utf-8", "surrogateescape")
        return [line for line in text.split("\n") if line and not line.startswith("#")]

    def past_alerts(self) -> list[History]:
        """The newest entries of historicfile, as many as histlength and historictime ask for; OSError."""
        settings, path = self.setup.config.settings, self.setup.places.historicfile
        if path is None or not path.exists():
            return []
        oldest = time.time() - settings.historictime if settings.historictime else 0
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _NEWEST))
            lines = file.read().decode("utf-8", "surrogateescape").split("\n")
        entries = [entry for line in lines if (entry := _entry(line)) and entry.epoch >= oldest]
        return entries[-settings.histlength :] if settings.histlength else []


def _entry(line: str) -> History | None:
    """A line that is none is passed over: the first one may be half of one."""
    try:
        return parse_history(line)
    except BadLine:
        return None
