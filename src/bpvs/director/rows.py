# SPDX-License-Identifier: GPL-2.0-or-later
"""The table as it lies in the maps, read into the model."""

from __future__ import annotations

import struct
from _socket import ntohs
from collections.abc import Callable, Iterable, Mapping

from bpvs.director import books
from bpvs.director.identity import is_probe, protocols, unpack_head
from bpvs.director.plans import service_of
from bpvs.director.turns import ServerKey, Turn
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import (
    Address,
    Check,
    Counters,
    Family,
    LocalStatus,
    Method,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Table,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.model.address import V4_MAPPED_PREFIX
from bpvs.model.server import NO_TUNNEL
from bpvs.model.value import dataclass

COUNTERS = struct.Struct("=5Q")
PLAN_AT = _abi.SERVICE.offset("plan")
_PLAN = _abi.PLAN.select(
    *("turn", "scheduler", "first", "count", "step", "top", "flags"),
    *("local_first", "local_ipv4", "local_ipv6", "timeout_s", "mask", "left", "zero"),
)
_TUNNEL = _abi.TUNNEL.select("port", "type", "check")
_MODULUS = 1 << 64

# The estimator's scales, net/netfilter/ipvs/ip_vs_est.c, ip_vs_read_estimator.
_PACKETS_HALF, _PACKETS_SHIFT = 0x1FF, 10
_BYTES_HALF, _BYTES_SHIFT = 0xF, 5


@dataclass(frozen=True, slots=True)
class Row:
    """One service in force: its row, plan and servers (newest first) with their rows of `dests`.

    `locals`: its local addresses, oldest first within each family.
    """

    row: int
    service: VirtualService
    current: int
    first: int
    turn: Turn
    left: Counters
    zero: Counters
    servers: tuple[RealServer, ...]
    dests: tuple[int, ...]
    locals: tuple[Address, ...]
    local_first: int


def address_of(mapped: bytes) -> Address:
    """The address in 16 bytes of a map; the data path has no mapped IPv6 addresses."""
    return Address.from_mapped(Family.IPV4 if mapped.startswith(V4_MAPPED_PREFIX) else Family.IPV6, mapped)


def read_rows(instance: Instance) -> dict[ServiceKey, Row]:
    """Every service of the instance."""
    services = instance.services
    found = {}
    high = instance.settings.load(0, "service_high")
    fields = ("address", "port", "protocol", "family", "current")
    for row, (mapped, port, protocol, family, current) in enumerate(services.rows(0, high, *fields)):
        if family:
            key = unpack_head(family, mapped, port, protocol)
            found[key] = _read_row(instance, row, key, current & 1)
    return found


def _read_row(instance: Instance, row: int, key: ServiceKey, current: int) -> Row:
    content = instance.services.bytes_at(row, PLAN_AT + current * _abi.PLAN.size, _abi.PLAN.size)
    turn, scheduler, first, count, step, top, flags, *local, timeout_s, mask, left, zero = _PLAN.unpack(content)
    local_first, local_ipv4, local_ipv6 = local
    servers, dests = [], []
    for mapped, port, method, own, weight, dest in instance.servers.rows(
        first, count, "address", "port", "method", "flags", "weight", "dest"
    ):
        address = address_of(mapped)
        tunnel = _read_tunnel(instance, dest) if method == Method.TUNNEL else NO_TUNNEL
        upper, lower = instance.dests.read(dest, "upper", "lower") if own & _abi.SERVER_LIMITED else (0, 0)
        servers.append(RealServer(address, ntohs(port), Method(method), weight, upper, lower, tunnel))
        dests.append(dest)
    addresses = instance.locals.rows(local_first, local_ipv4 + local_ipv6, "word")
    return Row(
        row,
        service_of(key, scheduler, flags, timeout_s, mask),
        current,
        first,
        Turn(turn, step, top),
        Counters(*COUNTERS.unpack(left)),
        Counters(*COUNTERS.unpack(zero)),
        tuple(servers),
        tuple(dests),
        tuple(address_of(mapped) for (mapped,) in addresses),
        local_first,
    )


def _read_tunnel(instance: Instance, dest: int) -> Tunnel:
    port, kind, check = _TUNNEL.unpack(instance.dests.bytes_at(dest, _abi.DEST.offset("tunnel"), _abi.TUNNEL.size))
    return Tunnel(TunnelType(kind), ntohs(port), TunnelChecksum(check))


def table_of(rows: Mapping[ServiceKey, Row], check: Check | None) -> Table:
    """The rows as a table that will be changed under `check`."""
    shown = (row for key, row in rows.items() if not is_probe(key))
    return Table.of(((row.service, row.servers, row.locals) for row in shown), check)


def wrap(counters: Counters) -> Counters:
    """Bring differences back into 64 bits, as the counters are kept."""
    return Counters(*(count % _MODULUS for count in _counts(counters)))


def pack_counters(counters: Counters) -> bytes:
    """struct counters."""
    return pack_counts(_counts(counters))


def pack_counts(counts: Iterable[int]) -> bytes:
    """struct counters of its fields."""
    return COUNTERS.pack(*(count % _MODULUS for count in counts))


def _counts(counters: Counters) -> tuple[int, ...]:
    return counters.connections, counters.in_packets, counters.out_packets, counters.in_bytes, counters.out_bytes


def read_status(instance: Instance) -> dict[ServiceKey, ServiceStatus]:
    """Counters, rates and connections of everything in force."""
    rows = read_rows(instance)
    high = instance.settings.load(0, "dest_high")
    traffic = [Counters(*sums) for sums in instance.traffic.sums(range(high))]
    dests = list(instance.dests.rows(0, high, "flags", "active", "inactive", "persistent", "zero"))
    rates = list(instance.dest_rates.rows(0, high, "average"))

    def server(dest: int) -> ServerStatus:
        flags, active, inactive, persistent, zero = dests[dest]
        counters = wrap(traffic[dest] - Counters(*COUNTERS.unpack(zero)))
        is_local = bool(flags & _abi.DEST_LOCAL)
        average = rates_of(rates[dest][0])
        return ServerStatus(_signed(active), _signed(inactive), _signed(persistent), counters, average, is_local)

    return {key: _service_status(instance, row, traffic, server) for key, row in rows.items() if not is_probe(key)}


def _service_status(
    instance: Instance, row: Row, traffic: list[Counters], server: Callable[[int], ServerStatus]
) -> ServiceStatus:
    total = row.left
    for dest in row.dests:
        total += traffic[dest]
    servers: dict[ServerKey, ServerStatus] = {
        (listed.address, listed.port): server(dest) for listed, dest in zip(row.servers, row.dests, strict=True)
    }
    (average,) = instance.service_rates.read(row.row, "average")
    return ServiceStatus(wrap(total - row.zero), rates_of(average), servers, _locals_status(instance, row))


def _locals_status(instance: Instance, row: Row) -> dict[Address, LocalStatus]:
    """Ports in use toward the servers that the service has now."""
    found = {}
    for local in row.locals:
        keys = books.wanted((local,), row.servers, protocols(row.service.key))
        figures = [books.read(instance, key) for key in keys]
        found[local] = LocalStatus(sum(ports for ports, _ in figures), sum(misses for _, misses in figures))
    return found


def _signed(count: int) -> int:
    """A count that two CPUs change at once may be read one below zero."""
    return 0 if count >> 31 else count


def rates_of(average: bytes) -> Rates:
    """What is shown of the estimator's averages."""
    connections, in_packets, out_packets, in_bytes, out_bytes = COUNTERS.unpack(average)
    return Rates(
        (connections + _PACKETS_HALF) >> _PACKETS_SHIFT,
        (in_packets + _PACKETS_HALF) >> _PACKETS_SHIFT,
        (out_packets + _PACKETS_HALF) >> _PACKETS_SHIFT,
        (in_bytes + _BYTES_HALF) >> _BYTES_SHIFT,
        (out_bytes + _BYTES_HALF) >> _BYTES_SHIFT,
    )
