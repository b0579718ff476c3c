# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes: sockets of the director that reach a virtual service by way of one real server, for monitors.

A probe is a service by mark, of a mark that the socket sets, with that server alone: by its method, whatever scheduler,
templates, weight and thresholds of the probed service say, and with counts of its own. Marks from FIRST_PROBE_MARK on
are kept for that, and no table shows services of them. One that nobody closes ends with its time: the next change of
the table removes it.
"""

from __future__ import annotations

import time
from binascii import crc32
from collections.abc import Iterable, Mapping

from bpvs.director.identity import is_probe, virtual_of
from bpvs.director.publish import publish
from bpvs.director.rows import Row, read_rows
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, DirectorError, Method, NotBuilt, RealServer, ServiceKey, Table, VirtualService
from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpvs.director import Director
    from bpvs.director.capability import Place

LONGEST = 3600  # seconds
_UNITS_PER_S = 1e9 / 2**20  # of service.until, see clock_ms()
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Probe:
    """What a socket needs to reach the service by way of `server`, before it connects to the virtual address.

    `mark`: SO_MARK. `source`: the address to bind to, None where the kernel's choice will do.
    """

    server: RealServer
    mark: int
    source: Address | None


class Probes:
    """What Director.probes() gives to `with`."""

    def __init__(
        self, director: Director, key: ServiceKey, servers: Iterable[RealServer], seconds: float, source: Address | None
    ) -> None:
        if not 0 < seconds <= LONGEST:
            raise ValueError(f"a probe is open for more than 0 and at most {LONGEST} seconds, not {seconds}")
        self._director = director
        self._key = key
        self._servers = tuple(servers)
        self._seconds = seconds
        self._source = source
        self._opened: tuple[ServiceKey, ...] = ()
        self._until = 0

    def __enter__(self) -> tuple[Probe, ...]:
        virtual = self._key.address
        if virtual is None:
            raise NotBuilt("a service by mark has no address to which a probe could go")
        with self._director.judge() as judge:
            if not judge.is_local(virtual):
                raise NotBuilt(f"{virtual} is not an address of the director, so a probe to it would leave it unseen")
        change = self._director.change()
        with change as table:
            service = table.service(self._key)
            for server in self._servers:
                change.capability.server(service, server)
            places = change.capability.places
            sources = [self._source or _source(virtual, one, places[one.address]) for one in self._servers]
            self._until = _now() + int(self._seconds * _UNITS_PER_S) & _WORD
            locals_ = table.locals(self._key)
            opened = tuple(change.probes.add(self._key, server, locals_, self._until) for server in self._servers)
        self._opened = opened
        return tuple(map(Probe, self._servers, (hidden.fwmark for hidden in opened), sources))

    def __exit__(self, *_exception: object) -> None:
        change = self._director.change()
        with change:
            for hidden in self._opened:
                change.probes.remove(hidden, self._until)


class Opened:
    """The probes of an instance while it is locked; what is added and removed counts when it is published."""

    def __init__(self, instance: Instance | None = None, rows: Mapping[ServiceKey, Row] | None = None) -> None:
        self._rows = {key: row for key, row in (rows or {}).items() if is_probe(key)}
        self._ends = {key: instance.services.load(row.row, "until") for key, row in self._rows.items() if instance}
        self._table = Table.of((row.service, row.servers, row.locals) for row in self._rows.values())

    def add(self, key: ServiceKey, server: RealServer, locals_: Iterable[Address], until: int) -> ServiceKey:
        """One by way of the server to the service `key`, under its own key."""
        hidden = self._free(key, server)
        self._table.add_service(VirtualService(hidden, "rr"))
        for address in locals_:
            self._table.add_local(hidden, address)
        self._table.add_server(hidden, RealServer(server.address, server.port, server.method, tunnel=server.tunnel))
        self._ends[hidden] = until
        return hidden

    def remove(self, hidden: ServiceKey, until: int) -> None:
        """Remove the one with that key and end; it may have ended, and the key be somebody else's."""
        if self._ends.get(hidden) == until:
            del self._ends[hidden]
            self._table.delete_service(hidden)

    def publish(self, instance: Instance, places: Mapping[Address, Place]) -> None:
        """Bring the maps to what is here, without those whose time is over."""
        now = _now()
        for hidden, until in list(self._ends.items()):
            if not 0 < until - now & _WORD <= (LONGEST + 1) * _UNITS_PER_S:
                self.remove(hidden, until)
        if not self._table.dirty:
            return
        rows = read_rows(instance)
        publish(instance, rows, self._table, places)
        rows = read_rows(instance)
        for hidden in self._table.fresh:
            instance.services.store(rows[hidden].row, "until", self._ends[hidden])

    def _free(self, key: ServiceKey, server: RealServer) -> ServiceKey:
        """A mark that no probe has: for a server the same as before if it can be, and so the same row of `dests`."""
        first = crc32(repr((virtual_of(key), server.address.mapped, server.port)).encode())
        for turn in range(_abi.PROBE_MARKS):
            mark = _abi.FIRST_PROBE_MARK + (first + turn) % _abi.PROBE_MARKS
            hidden = ServiceKey.marked(mark, key.family)
            if not self._table.has(hidden):
                return hidden
        raise DirectorError(f"no room for another probe: {_abi.PROBE_MARKS} are open")


def _source(virtual: Address, server: RealServer, place: Place) -> Address | None:
    """Where the server shall answer to: not the virtual address, which a server takes for itself."""
    source = place.source
    if source is not None and source.family is virtual.family and source != virtual:
        return source
    if place.is_local or server.method in (Method.NAT, Method.FULLNAT):
        return None
    raise NotBuilt(
        f"the director has no address but {virtual} from which it would speak to {server.address}: "
        "give one of its addresses as the source of the probe"
    )


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 20
