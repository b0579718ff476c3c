# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding rows for what is to be published: services, their lists, real servers."""

from __future__ import annotations

from _socket import htons, ntohs
from collections.abc import Iterable, Sequence

from bpvs.director.capability import NO_SERVER, NO_SERVICE, Place
from bpvs.director.identity import Virtual, virtual_of
from bpvs.director.lists import Lists, wait_for_packets
from bpvs.director.rows import COUNTERS, Row, pack_counts
from bpvs.director.turns import kept_weights, server_key
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Counters, DirectorError, Family, Method, RealServer, ServiceKey
from bpvs.model.table import Step

_TUNNEL_AT = _abi.DEST.offset("tunnel")
_SOURCE_SIZE = _abi.ADDRESS.size
_ZERO_AT = _abi.DEST.offset("zero")
_AVERAGE_AT = _abi.RATES.offset("average")
_NO_RATES = bytes(_abi.COUNTERS.size)
_NOTHING = (0,) * (_abi.COUNTERS.size // 8)
_DEST = _abi.DEST.select("address", "virtual", "port", "virtual_port", "protocol", "family", "flags", "service", "zero")

_Identity = tuple[Virtual, bytes, int]  # service, address, port


class Rooms:
    """Free rows of one instance while its lock is held."""

    def __init__(self, instance: Instance, rows: dict[ServiceKey, Row]) -> None:
        self._instance = instance
        self._settings = instance.settings
        self._traffic = instance.traffic
        self._services = {row.row for row in rows.values()}
        self._known = {
            row.row: dict(zip(map(server_key, row.servers), row.dests, strict=True)) for row in rows.values()
        }
        self._listed = {dest for row in rows.values() for dest in row.dests}
        self._server_lists = Lists(instance, _abi.MAX_SERVERS, "servers", ("first", "count"))
        self._local_lists = Lists(
            instance, _abi.MAX_LOCALS, "local addresses", ("local_first", "local_ipv4", "local_ipv6")
        )
        self._slot_lists = Lists(instance, _abi.MAX_SLOT_ROWS, "parts of hash tables", ("slots", "slot_rows"))
        self._free_rows = [row for row in range(1, self._settings.load(0, "service_high")) if row not in self._services]
        self._removed: dict[_Identity, int] = {}
        self._former: dict[int, list[int]] = {}  # the same by service
        self._counted: dict[int, tuple[int, ...]] = {}  # in rows that nobody else has, before they were taken
        self._used: list[int] = []  # rows taken that others had before
        self._idle: list[int] = []
        self._scan_dests()

    def leave(self, row: Row) -> None:
        """A service is no longer in force: its row and its servers' are to be had, once nobody else is left."""
        self._services.discard(row.row)
        self._known.pop(row.row, None)
        self._listed.difference_update(row.dests)
        for server, dest in zip(row.servers, row.dests, strict=True):
            self._removed[_identity(row.service.key, server)] = dest
        for dest in (*row.dests, *self._former.pop(row.row, ())):
            flags = self._instance.dests.load(dest, "flags")
            self._instance.dests.store(dest, "flags", flags | _abi.DEST_ORPHAN)

    def service_row(self) -> int:
        """A row of `services`: one that was free before this change began, or was never used, or else became free."""
        high = self._settings.load(0, "service_high")
        if not self._free_rows and high < _abi.MAX_SERVICES:
            self._settings.store(0, "service_high", high + 1)
            self._free_rows.append(high)
        if not self._free_rows:
            wait_for_packets()
            families = self._instance.services.rows(0, high, "family")
            self._free_rows = [row for row, (family,) in enumerate(families) if row and not family]
        if not self._free_rows:
            raise DirectorError(NO_SERVICE)
        row = self._free_rows.pop()
        self._services.add(row)
        return row

    def server_rows(self, count: int) -> int:
        """The first of `count` consecutive rows of `servers`."""
        return self._server_lists.rows(count, self._services)

    def slot_rows(self, count: int) -> int:
        """The first of `count` consecutive rows of `slots`."""
        return self._slot_lists.rows(count, self._services)

    def local_rows(self, count: int) -> int:
        """The first of `count` consecutive rows of `locals`."""
        return self._local_lists.rows(count, self._services)

    def dests(self, service: int, key: ServiceKey, servers: Iterable[RealServer], before: Row | None) -> list[int]:
        """The rows of `dests` for the servers of a service, which are about to be listed; before a plan shows them.

        Each has the one that it had; or, if it was removed and still has connections, the one of then (it is the same
        server again, as in IPVS); or a free one.
        """
        known = self._known.get(service, {}) if before else {}
        virtual = virtual_of(key)
        found = []
        for server in servers:
            dest = known.get(server_key(server))
            if dest is None:
                dest = self._removed.pop((virtual, server.address.mapped, server.port), None)
                if dest is None:
                    dest = self._free_dest()
                    self._take_dest(dest, service, key.family, virtual, server)
                else:
                    self._list_again(dest, service, before)
                self._listed.add(dest)
            found.append(dest)
        self._begin_anew()
        return found

    def reach(self, dest: int, server: RealServer, place: Place | None) -> None:
        """Note how a server is reached: its tunnel, and what was learned of its place; None: that stays."""
        dests = self._instance.dests
        if server.method is Method.TUNNEL:
            tunnel = server.tunnel
            packed = _abi.TUNNEL.pack(port=htons(tunnel.port), type=tunnel.type, check=tunnel.checksum)
            dests.write(dest, packed[_SOURCE_SIZE:], _TUNNEL_AT + _SOURCE_SIZE)
        if place is None:
            return
        flags = dests.load(dest, "flags")
        dests.store(dest, "flags", flags & ~_abi.DEST_LOCAL | (_abi.DEST_LOCAL if place.is_local else 0))
        dests.write(dest, place.source.mapped if place.source else bytes(_SOURCE_SIZE), _TUNNEL_AT)

    def limit(self, dest: int, server: RealServer) -> None:
        """Note its thresholds; the number of connections that it has says whether it is overloaded by them.

        And its method, and whether it is quiet.
        Source: net/netfilter/ipvs/ip_vs_ctl.c, __ip_vs_update_dest.
        """
        dests = self._instance.dests
        dests.store(dest, "method", server.method)
        flags = dests.load(dest, "flags") & ~_abi.DEST_QUIET
        dests.store(dest, "flags", flags | (0 if server.weight else _abi.DEST_QUIET))
        if dests.read(dest, "upper", "lower") == (server.upper, server.lower):
            return
        dests.store(dest, "upper", server.upper)
        dests.store(dest, "lower", server.lower)
        count = sum(dests.read(dest, "active", "inactive"))
        if server.upper and count >= server.upper:
            dests.store(dest, "overloaded", 1)
        elif count < (server.lower or server.upper - server.upper // 4) or not server.upper:
            dests.store(dest, "overloaded", 0)

    def keep_weights(
        self, dests: Sequence[int], servers: Sequence[RealServer], before: Row | None, steps: Iterable[Step]
    ) -> list[int]:
        """Note each server's last weight above 0; see kept_weights()."""
        notes = self._instance.dests
        old = zip(map(server_key, before.servers), before.dests, strict=True) if before else ()
        kept = kept_weights({key: notes.load(dest, "weight") for key, dest in old}, steps)
        weights = [kept[server_key(server)] for server in servers]
        for dest, weight in zip(dests, weights, strict=True):
            notes.store(dest, "weight", weight)
        return weights

    def traffic(self, dests: Iterable[int]) -> Counters:
        """What was counted in rows since they were first used."""
        return Counters(*map(sum, zip(*map(self._counts, dests), strict=True)))

    def _counts(self, dest: int) -> tuple[int, ...]:
        found = self._counted.get(dest)
        return self._traffic.sum(dest) if found is None else found

    def _scan_dests(self) -> None:
        """Sort the rows that no plan lists into those with connections left and those without."""
        high = self._settings.load(0, "dest_high")
        fields = (
            *("address", "virtual", "port", "virtual_port", "protocol", "flags", "service"),
            *("active", "inactive", "persistent"),
        )
        for dest, row in enumerate(self._instance.dests.rows(0, high, *fields)):
            address, virtual, port, virtual_port, protocol, flags, service, *counts = row
            if dest == 0 or dest in self._listed:
                continue
            if flags & _abi.DEST_USED and any(counts):
                self._removed[(virtual, ntohs(virtual_port), protocol), address, ntohs(port)] = dest
                self._former.setdefault(service, []).append(dest)
            else:
                self._idle.append(dest)

    def _free_dest(self) -> int:
        if self._idle:
            return self._idle.pop()
        high = self._settings.load(0, "dest_high")
        if high < _abi.MAX_DESTS:
            self._settings.store(0, "dest_high", high + 1)
            self._counted[high] = _NOTHING
            return high
        wait_for_packets()
        gone = {identity: dest for identity, dest in self._removed.items() if not self._has_connections(dest)}
        if not gone:
            raise DirectorError(NO_SERVER)
        for identity in gone:
            del self._removed[identity]
        self._idle.extend(gone.values())
        return self._idle.pop()

    def _has_connections(self, dest: int) -> bool:
        return any(self._instance.dests.read(dest, "active", "inactive", "persistent"))

    def _take_dest(self, dest: int, service: int, family: Family, virtual: Virtual, server: RealServer) -> None:
        address, port, protocol = virtual
        flags = _abi.DEST_USED | _abi.DEST_LISTED
        self._instance.dests.write(
            dest,
            _DEST.pack(
                *(server.address.mapped, address, htons(server.port), htons(port)),
                *(protocol, family, flags, service, bytes(COUNTERS.size)),
            ),
        )
        if dest not in self._counted:
            self._used.append(dest)

    def _list_again(self, dest: int, service: int, before: Row | None) -> None:
        """A server that was removed, whose connections are still there."""
        dests = self._instance.dests
        flags = dests.load(dest, "flags")
        dests.store(dest, "service", service)
        if before is None or flags & _abi.DEST_ORPHAN:
            self._begin_display(dest, self._traffic.sum(dest))
        dests.store(dest, "flags", flags & ~_abi.DEST_ORPHAN | _abi.DEST_LISTED)

    def _begin_anew(self) -> None:
        """Forget the ways to servers that had a row before, and what was counted there."""
        counted = self._traffic.forget(self._used)
        for dest, counts in counted.items():
            self._begin_display(dest, counts)
        self._counted |= counted
        self._used.clear()

    def _begin_display(self, dest: int, counts: Iterable[int]) -> None:
        """Show counters and rates from zero on; connections stay."""
        self._instance.dests.write(dest, pack_counts(counts), _ZERO_AT)
        self._instance.dest_rates.write(dest, _NO_RATES, _AVERAGE_AT)


def _identity(key: ServiceKey, server: RealServer) -> _Identity:
    return virtual_of(key), server.address.mapped, server.port
