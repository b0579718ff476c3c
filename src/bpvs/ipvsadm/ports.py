# SPDX-License-Identifier: GPL-2.0-or-later
"""What commands need of a director; `bpvs.director.Director` and `bpvs.testing.MemoryDirector` have it."""

from __future__ import annotations

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from bpvs.model import Connection, Counters, ServiceKey, ServiceStatus, Table, Timeouts, Totals

    class DirectorPort(Protocol):
        """One instance of the data plane; see `bpvs.director.Director` for the meaning of the methods."""

        def table(self) -> Table:
            """A snapshot of the table, empty when nothing is loaded."""

        def change(self) -> AbstractContextManager[Table]:
            """The table under the lock; published when the block ends, dropped when it raises."""

        def rehearse(self) -> AbstractContextManager[Table]:
            """The table to be changed with every refusal of `change`; nothing comes of it."""

        def status(self) -> Mapping[ServiceKey, ServiceStatus]:
            """Counters and connections in force."""

        def totals(self) -> Totals:
            """Counters and rates of all services together."""

        def cpu_counters(self) -> Sequence[Counters]:
            """What each possible CPU counted, by its number."""

        def connections(self) -> Iterator[Connection]:
            """The entries of the connection table."""

        def sysctls(self) -> Mapping[str, int]:
            """The settings in force."""

        def timeouts(self) -> Timeouts:
            """The timeouts in force."""

    DirectorFactory = Callable[[], DirectorPort]
