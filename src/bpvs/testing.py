# SPDX-License-Identifier: GPL-2.0-or-later
"""A director without a data plane, for tests of whatever sits above one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bpvs.model import (
    Address,
    Check,
    Connection,
    Family,
    InvalidServer,
    RealServer,
    ServiceKey,
    ServiceStatus,
    Table,
    Timeouts,
    UnknownScheduler,
    VirtualService,
)

SCHEDULERS = frozenset(("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "none"))
ENGINES = frozenset(("", "sip"))


class MemoryDirector:
    """Holds a table in memory and refuses what IPVS on Linux 6.1 would; everything else is as the caller sets it.

    `statuses`, `entries` and `limits` are what `status()`, `connections()` and `timeouts()` answer. `published` counts
    the changes that came through. `check` replaces the rules of IPVS, for example by those of a real data plane.
    """

    def __init__(self, check: Check | None = None) -> None:
        self._table = Table()
        self._check = check or ipvs_check
        self.statuses: Mapping[ServiceKey, ServiceStatus] = {}
        self.entries: list[Connection] = []
        self.limits = Timeouts()
        self.published = 0

    def table(self) -> Table:
        """A snapshot."""
        return self._table.copy()

    @contextmanager
    def change(self) -> Iterator[Table]:
        """A copy to change, which replaces the table if the block does not raise.

        The counters of what is new or zeroed are forgotten.
        """
        pending = self._table.copy(self._check)
        yield pending
        self._table = pending
        self.published += 1
        gone = pending.fresh | pending.zeroed | {key for key in pending.dirty if not pending.has(key)}
        kept = {} if pending.zeroed_all else {key: s for key, s in self.statuses.items() if key not in gone}
        self.statuses = kept

    def status(self) -> Mapping[ServiceKey, ServiceStatus]:
        """The statuses that were set."""
        return self.statuses

    def connections(self) -> Iterator[Connection]:
        """The entries that were set."""
        return iter(self.entries)

    def timeouts(self) -> Timeouts:
        """The timeouts that were set."""
        return self.limits


def ipvs_check(service: VirtualService, server: RealServer | None) -> None:
    """Refuse what IPVS itself refuses: unknown schedulers and engines, servers that are not unicast.

    There is no routing table here, so the broadcast address of a subnet passes.
    """
    if server is None:
        if service.scheduler not in SCHEDULERS or service.engine not in ENGINES:
            raise UnknownScheduler
    elif not _is_unicast(server.address):
        raise InvalidServer


def _is_unicast(address: Address) -> bool:
    first = address.packed[0]
    if address.family == Family.IPV4:
        return 0 < first < 224
    return first != 0xFF and address.packed[:2] != b"\xfe\x80" and any(address.packed)
