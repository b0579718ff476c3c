# SPDX-License-Identifier: GPL-2.0-or-later
"""From a changed table to the maps.

The new list of servers and the new plan are written where nobody looks. One store then shows them: `current` of an
edited service, `family` of an added or deleted one. Everything else (which keys lead to services, which real servers
are listed, how many services there are) follows from the services' rows: settle() makes it agree. `unsettled` is set
before the first store and cleared after settling: a command that was killed in between is finished by the next one.
"""

from __future__ import annotations

import struct
from _socket import htons
from collections.abc import Collection, Iterable, Mapping

from bpvs.director import books, classifier, foreign, marks, strays
from bpvs.director.capability import Place, place_of
from bpvs.director.identity import pack_head, pack_key, protocols
from bpvs.director.plans import plan_fields
from bpvs.director.rooms import Rooms
from bpvs.director.rows import PLAN_AT, Row, pack_counters, read_rows, wrap
from bpvs.director.slots import pack_slots
from bpvs.director.totals import zero_totals
from bpvs.director.turns import Turn, carry
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, Counters, Family, Method, Protocol, RealServer, ServiceKey, Table, VirtualService
from bpvs.model.table import Step
from bpvs.net.address import Judge

_NOTHING = Counters()
_SERVER = _abi.SERVER.select("address", "port", "method", "flags", "weight", "dest")
_FTP_PORT = 21


def publish(instance: Instance, rows: dict[ServiceKey, Row], table: Table, places: Mapping[Address, Place]) -> None:
    """Bring the maps from `rows`, which they hold, to `table`. The caller holds the instance's lock.

    `places`: what is known of the addresses of servers that were added or edited.
    """
    changes = sorted(table.dirty, key=table.has)  # deleted ones first: they make room
    if changes:
        instance.settings.store(0, "unsettled", 1)
        rooms = Rooms(instance, rows)
        try:
            for key in changes:
                _publish_service(instance, rooms, rows.get(key), key, table, places)
        finally:
            settle(instance)
    else:
        settle_locals(instance, rows.values())  # addresses, interfaces and rules of the host may have changed
        marks.settle(instance, rows.values())
        classifier.settle(instance)
    _zero(instance, table)


def settle(instance: Instance) -> None:
    """Make everything that follows from the services' rows agree with them."""
    rows = read_rows(instance)
    _settle_doubles(instance, {row.row for row in rows.values()})
    _settle_keys(instance, rows.values())
    listed = {dest for row in rows.values() for dest in row.dests}
    dests = instance.dests
    high = instance.settings.load(0, "dest_high")
    for dest, (flags,) in enumerate(dests.rows(0, high, "flags")):
        wanted = flags & ~_abi.DEST_LISTED | (_abi.DEST_LISTED if dest in listed else 0)
        if flags != wanted:
            dests.store(dest, "flags", wanted)
    _settle_uses(instance, rows.values())
    _settle_kinds(instance, [row.service.key for row in rows.values()])
    for family, field in ((Family.IPV4, "services_ipv4"), (Family.IPV6, "services_ipv6")):
        instance.settings.store(0, field, sum(_concerns(row, family) for row in rows.values()))
    strays.settle(instance, rows.values())
    settle_locals(instance, rows.values())
    marks.settle(instance, rows.values())
    classifier.settle(instance)
    instance.settings.store(0, "unsettled", 0)


def settle_locals(instance: Instance, rows: Iterable[Row]) -> None:
    """What goes with local addresses: their books of ports, and what neighbours are answered about them.

    One that was removed is answered for while connections to a server still have it.
    """
    needed = books.sweep(instance, {key for row in rows for key in _books_of(row)})
    servers = {s.address.mapped for row in rows for s in row.servers if s.method is Method.FULLNAT}
    foreign.settle(instance, rows, {local for local, server in needed if server in servers})


def _concerns(row: Row, family: Family) -> bool:
    """Whether packets of that family are of the service: from its clients, or from servers of the other family."""
    return row.service.key.family is family or any(server.address.family is family for server in row.servers)


def _settle_uses(instance: Instance, rows: Collection[Row]) -> None:
    """What the data path otherwise need not look for."""
    if any(server.method is Method.TUNNEL for row in rows for server in row.servers):
        instance.settings.store(0, "tunnels", 1)
    local = sum(instance.dests.load(dest, "flags") & _abi.DEST_LOCAL != 0 for row in rows for dest in row.dests)
    instance.settings.store(0, "local_servers", local)


def _settle_kinds(instance: Instance, keys: list[ServiceKey]) -> None:
    """How many services are found in another way than by address, port and protocol of a packet."""
    counts = {
        "any_port": sum(not key.port and not key.fwmark for key in keys),
        "ftp": sum(key.port == _FTP_PORT and key.protocol is Protocol.TCP for key in keys),
        "marked_ipv4": sum(key.fwmark != 0 and key.family is Family.IPV4 for key in keys),
        "marked_ipv6": sum(key.fwmark != 0 and key.family is Family.IPV6 for key in keys),
    }
    for field, count in counts.items():
        instance.settings.store(0, field, count)


def _books_of(row: Row) -> set[bytes]:
    return books.wanted(row.locals, row.servers, protocols(row.service.key))


def relocate(instance: Instance) -> None:
    """Ask the routing tables again where every listed real server is: interfaces and addresses may have changed."""
    rows = read_rows(instance)
    rooms = Rooms(instance, rows)
    with Judge() as judge:
        for row in rows.values():
            for dest, server in zip(row.dests, row.servers, strict=True):
                rooms.reach(dest, server, place_of(judge, server.address))
    _settle_uses(instance, rows.values())


def pack_row(row: int) -> bytes:
    """A row's number as the value of `service_ids`."""
    return struct.pack("=I", row)


def _settle_doubles(instance: Instance, wanted: set[int]) -> None:
    """A service that was deleted and added again may stand in two rows if the command was killed."""
    high = instance.settings.load(0, "service_high")
    for row, (family,) in enumerate(instance.services.rows(0, high, "family")):
        if family and row not in wanted:
            instance.services.store(row, "family", 0)


def _settle_keys(instance: Instance, rows: Iterable[Row]) -> None:
    ids = instance.service_ids
    wanted = {pack_key(row.service.key): pack_row(row.row) for row in rows}
    for key in ids:
        if key not in wanted:
            del ids[key]
    for key, row in wanted.items():
        if ids[key] != row:
            ids[key] = row


def _publish_service(
    instance: Instance,
    rooms: Rooms,
    old: Row | None,
    key: ServiceKey,
    table: Table,
    places: Mapping[Address, Place],
) -> None:
    if not table.has(key):
        if old is not None:
            instance.services.store(old.row, "family", 0)
            rooms.leave(old)
    elif old is None or key not in table.fresh:
        _show(instance, rooms, old, key, table, places)
    else:
        rooms.leave(old)  # first: the new service's servers may be the old one's
        _show(instance, rooms, None, key, table, places)
        instance.services.store(old.row, "family", 0)


def _show(
    instance: Instance,
    rooms: Rooms,
    before: Row | None,
    key: ServiceKey,
    table: Table,
    places: Mapping[Address, Place],
) -> None:
    """Write the service's new plan and put it in force; `before` is None for a service that was added."""
    servers = tuple(table.servers(key))
    row = before.row if before else rooms.service_row()
    dests = rooms.dests(row, key, servers, before)
    for dest, server in zip(dests, servers, strict=True):
        rooms.reach(dest, server, places.get(server.address))
        rooms.limit(dest, server)
    books.make(instance, books.wanted(table.locals(key), servers, protocols(key)))
    current = 1 - before.current if before else 0
    plan = _plan(instance, rooms, row, table.service(key), servers, dests, before, table)
    instance.services.write(row, plan, PLAN_AT + current * _abi.PLAN.size)
    if before:
        instance.services.store(row, "current", current)
        return
    instance.services.write(row, pack_head(key))
    instance.service_rates.write(row, bytes(_abi.RATES.size))
    instance.services.store(row, "family", int(key.family))
    instance.service_ids[pack_key(key)] = pack_row(row)


def _plan(
    instance: Instance,
    rooms: Rooms,
    row: int,
    service: VirtualService,
    servers: tuple[RealServer, ...],
    dests: list[int],
    before: Row | None,
    table: Table,
) -> bytes:
    first = rooms.server_rows(len(servers))
    content = b"".join(map(_pack_server, servers, dests))
    instance.servers.write(first, content)
    locals_ = sorted(table.locals(service.key), key=_family)  # sorted() keeps the order within a family
    local_first = rooms.local_rows(len(locals_))
    instance.locals.write(local_first, b"".join(address.mapped for address in locals_))
    ipv6 = sum(address.is_ipv6 for address in locals_)
    left, zero = _left(rooms, dests, before), before.zero if before else _NOTHING
    turn = _turn(instance, service, before, table)
    steps = table.journal.get(service.key, ())
    kept = rooms.keep_weights(dests, servers, before, steps)
    fields = plan_fields(service) | _slots(instance, rooms, service.scheduler, servers, kept)
    if any(server.weight > 0 for server in servers):
        fields["flags"] = int(fields["flags"]) | _abi.PLAN_SERVES
    return _abi.PLAN.pack(
        **fields,
        turn=turn.turn,
        first=first,
        count=len(servers),
        generation=_generation(instance, row, before, steps),
        step=turn.step,
        top=turn.top,
        local_first=local_first,
        local_ipv4=len(locals_) - ipv6,
        local_ipv6=ipv6,
        left=pack_counters(left),
        zero=pack_counters(zero),
    )


def _family(address: Address) -> Family:
    return address.family


def _pack_server(server: RealServer, dest: int) -> bytes:
    flags = _abi.SERVER_LIMITED if server.upper else 0
    return _SERVER.pack(server.address.mapped, htons(server.port), server.method, flags, server.weight, dest)


def _turn(instance: Instance, service: VirtualService, before: Row | None, table: Table) -> Turn:
    steps = table.journal.get(service.key, ())
    if before is None:
        return carry(service.scheduler, Turn(), (), steps)
    at = PLAN_AT + before.current * _abi.PLAN.size + _abi.PLAN.offset("turn")
    (turn,) = struct.unpack("=Q", instance.services.bytes_at(before.row, at, 8))  # it moved since it was read
    return carry(service.scheduler, Turn(turn, before.turn.step, before.turn.top), before.servers, steps)


def _generation(instance: Instance, row: int, before: Row | None, steps: Iterable[Step]) -> int:
    """By what lblc and lblcr remember: a number of its own whenever a scheduler starts from scratch."""
    services = instance.services
    size, at = _abi.PLAN.size, PLAN_AT + _abi.PLAN.offset("generation")
    numbers: list[int] = [struct.unpack("=I", services.bytes_at(row, at + plan * size, 4))[0] for plan in range(2)]
    if before is not None and all(what != "scheduler" for what, _ in steps):
        return numbers[before.current]
    services.store(row, "cached", 0)
    services.store(row, "cache_age", 0)
    return (max(numbers) // _abi.MAX_SERVICES + 1) * _abi.MAX_SERVICES % (1 << 32) + row


def _slots(
    instance: Instance, rooms: Rooms, scheduler: str, servers: tuple[RealServer, ...], kept: list[int]
) -> dict[str, int]:
    """Write the scheduler's table; slots and slot_rows of struct plan."""
    content = pack_slots(scheduler, servers, kept)
    count = len(content) // _abi.SLOT_ROW.size
    first = rooms.slot_rows(count)
    instance.slots.write(first, content)
    return {"slots": first, "slot_rows": count}


def _left(rooms: Rooms, dests: list[int], before: Row | None) -> Counters:
    """A service's total is `left` + what its servers counted: keep it unchanged when servers come and go."""
    left = before.left if before else _NOTHING
    known, listed = set(before.dests) if before else set(), set(dests)
    left += rooms.traffic(known - listed)
    left -= rooms.traffic(listed - known)
    return wrap(left)


def _zero(instance: Instance, table: Table) -> None:
    if not (table.zeroed or table.zeroed_all):
        return
    if table.zeroed_all:
        zero_totals(instance)
    traffic = instance.traffic
    for key, row in read_rows(instance).items():
        if not table.zeroed_all and key not in table.zeroed:
            continue
        total = row.left
        for dest in row.dests:
            counted = Counters(*traffic.sum(dest))
            total += counted
            instance.dests.write(dest, pack_counters(counted), _abi.DEST.offset("zero"))
            instance.dest_rates.write(dest, bytes(_abi.COUNTERS.size), _abi.RATES.offset("average"))
        at = PLAN_AT + row.current * _abi.PLAN.size + _abi.PLAN.offset("zero")
        instance.services.write(row.row, pack_counters(total), at)
        instance.service_rates.write(row.row, bytes(_abi.RATES.size))
