# SPDX-License-Identifier: GPL-2.0-or-later
"""What the command needs of a director; `bpvs.director.Director` and `bpvs.testing.MemoryDirector` have it."""

from __future__ import annotations

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Protocol

    from bpvs.model import Connection, ServiceKey, ServiceStatus, Table, Timeouts

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

        def connections(self) -> Iterator[Connection]:
            """The entries of the connection table."""

        def sysctls(self) -> Mapping[str, int]:
            """The settings in force."""

        def timeouts(self) -> Timeouts:
            """The timeouts in force."""

    DirectorFactory = Callable[[], DirectorPort]
