# SPDX-License-Identifier: GPL-2.0-or-later
"""A change of the table: under the lock, published when its block ends."""

from __future__ import annotations

from bpvs.director.capability import Capability
from bpvs.director.probes import Opened
from bpvs.director.publish import publish, settle
from bpvs.director.rows import read_rows, table_of
from bpvs.kernel import bpffs
from bpvs.kernel.instance import Instance, collect_dead
from bpvs.model import KEEP_TIMEOUTS, ServiceKey, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpvs.director import Director
    from bpvs.director.rows import Row


class Change:
    """What Director.change() gives to `with`.

    It holds the instance's lock; while there is no instance, the lock on all of them, so that nobody else loads one.
    `probes` may be changed in the block like the table; `capability` is what checks it.
    """

    def __init__(self, director: Director) -> None:
        self._director = director
        self.capability = Capability(director.judge)
        self.probes = Opened()
        self._locks: list[bpffs.Lock] = []
        self._instance: Instance | None = None
        self._rows: dict[ServiceKey, Row] = {}
        self._table = Table()

    def __enter__(self) -> Table:
        try:
            with self._director.inside():
                return self._read()
        except BaseException:
            self._unlock()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        try:
            if kind is None:
                with self._director.inside():
                    self._publish(self._table)
        finally:
            self.capability.__exit__()
            self._unlock()
        _tidy()

    def _read(self) -> Table:
        self._instance = self._lock()
        if self._instance is not None:
            if self._instance.settings.load(0, "unsettled"):
                settle(self._instance)
            self._rows = read_rows(self._instance)
        self._table = table_of(self._rows, self.capability)
        self.probes = Opened(self._instance, self._rows)
        return self._table

    def _publish(self, table: Table) -> None:
        from bpvs.director.interfaces import attach_egress, attach_new

        instance = self._instance
        if instance is not None:
            attach_new(instance)
        elif table.dirty or table.timeouts != KEEP_TIMEOUTS or table.sysctls:
            instance = self._director.up_locked(None, "auto", None)
        else:
            return
        publish(instance, self._rows, table, self.capability.places)
        self.probes.publish(instance, self.capability.places)
        if table.timeouts != KEEP_TIMEOUTS:
            from bpvs.director.connections import write_timeouts

            write_timeouts(instance, table.timeouts)
        if table.sysctls:
            from bpvs.director.sysctls import write_sysctls

            write_sysctls(instance, table.sysctls)
        attach_egress(instance)
        added = [key for key in table.fresh if key.fwmark]
        if added:
            from bpvs.director.marks import remarks

            table.remarks += remarks(instance, added)

    def _lock(self) -> Instance | None:
        """Lock the instance and return it, or lock all and return None if there is none."""
        while True:
            instance = self._director.instance()
            if instance is not None and self._take(instance.folder):
                return instance
            bpffs.mount()
            self._take(bpffs.root())
            if self._director.instance() is None:
                return None
            self._unlock()

    def _take(self, folder: str) -> bool:
        lock = bpffs.Lock(folder)
        try:
            lock.__enter__()
        except FileNotFoundError:  # unloaded a moment ago
            return False
        self._locks.append(lock)
        if lock.is_current():
            return True
        self._unlock()
        return False

    def _unlock(self) -> None:
        while self._locks:
            self._locks.pop().__exit__()


def _tidy() -> None:
    """Remove what namespaces that are gone left behind, unless another command is at it."""
    try:
        with bpffs.Lock(bpffs.root(), wait=False):
            collect_dead()
    except (BlockingIOError, FileNotFoundError):
        return
