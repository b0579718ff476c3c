# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that IPVS has in /proc/net, byte for byte: net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_conn.c, ip_vs_app.c."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bpvs.model import (
    Address,
    Connection,
    Counters,
    Family,
    Rates,
    ServiceKey,
    ServiceStatus,
    Table,
    Totals,
    VirtualService,
)
from bpvs.text.listing import METHODS, PLAIN_TITLE, PROTOCOLS, VERSION_LINE

HZ = 250  # clock ticks a second of Debian's kernels
APPLICATIONS = "prot port    usecnt name\n"  # helpers of protocols: there are none

_CONNECTION_TITLE = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       "
_STATS_TITLES = (
    "   Total Incoming Outgoing         Incoming         Outgoing",
    "   Conns  Packets  Packets            Bytes            Bytes",
    " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s",
)
_NO_STATUS = ServiceStatus()


def table_lines(table: Table, status: Mapping[ServiceKey, ServiceStatus]) -> Iterator[str]:
    """`ip_vs`: services by address, then by mark, each with its servers, newest first."""
    yield f"{VERSION_LINE}{PLAIN_TITLE}  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
    for service in sorted(table.services(), key=_by_mark):
        yield _service(service)
        state = status.get(service.key, _NO_STATUS)
        for server in table.servers(service.key):
            one = state.server(server.address, server.port)
            way = f"{_bracketed(server.address)}:{server.port:04X}      {METHODS[server.method]:7}"
            yield f"  -> {way} {server.weight:<6} {one.active:<10} {one.inactive:<10}\n"


def connection_lines(connections: Iterable[Connection]) -> Iterator[str]:
    """`ip_vs_conn`: seconds are rounded down, in the given order."""
    yield f"{_CONNECTION_TITLE}Expires PEName PEData\n"
    for entry in connections:
        engine = f" {entry.engine} {entry.engine_data}" if entry.engine else ""
        yield f"{_ends(entry)} {int(entry.expires):7}{engine}\n"


def origin_lines(connections: Iterable[Connection]) -> Iterator[str]:
    """`ip_vs_conn_sync`: every connection began here, since none is told by another director."""
    yield f"{_CONNECTION_TITLE}Origin Expires\n"
    for entry in connections:
        yield f"{_ends(entry)} {'LOCAL':6} {int(entry.expires):7}\n"


def stats_text(totals: Totals) -> str:
    """`ip_vs_stats`: counters and rates in hexadecimal."""
    first, second, third = _STATS_TITLES
    return f"{first}\n{second}\n{_figures(totals.counters)}\n\n{third}\n{_figures(totals.rates)}\n"


def cpu_stats_text(cpus: Iterable[Counters], totals: Totals) -> str:
    """`ip_vs_stats_percpu`: `cpus` by their numbers, which `ipvsadm -Z` does not touch; the sum, which it does."""
    first, second, third = _STATS_TITLES
    rows = [f"{number:3X} {_figures(counters)}\n" for number, counters in enumerate(cpus)]
    head = f"    {first}\nCPU {second}\n"
    return f"{head}{''.join(rows)}  ~ {_figures(totals.counters)}\n\n    {third}\n    {_figures(totals.rates)}\n"


def _by_mark(service: VirtualService) -> bool:
    return service.key.fwmark != 0


def _service(service: VirtualService) -> str:
    key = service.key
    ops = "ops " if service.ops else ""
    if key.address is None or key.protocol is None:
        head = f"FWM  {key.fwmark:08X} {service.scheduler} {ops}"
    else:
        head = f"{PROTOCOLS[key.protocol]}  {_bracketed(key.address)}:{key.port:04X} {service.scheduler} "
        head += "" if key.address.is_ipv6 else f"{ops} "  # the kernel forgets it for IPv6
    if service.persistence is None:
        return f"{head}\n"
    mask = service.mask << 24 if key.family is Family.IPV6 else service.mask
    return f"{head}persistent {service.persistence * HZ} {mask:08X}\n"


def _ends(entry: Connection) -> str:
    client = f"{_hex(entry.client)} {entry.client_port:04X}"
    virtual = f"{_hex(entry.virtual)} {entry.virtual_port:04X}"
    server = f"{_hex(entry.server)} {entry.server_port:04X}"
    name = "IP" if entry.protocol is None else PROTOCOLS[entry.protocol]
    return f"{name:3} {client} {virtual} {server} {entry.state:11}"


def _figures(counts: Counters | Rates) -> str:
    packets = f"{counts.connections:8X} {counts.in_packets:8X} {counts.out_packets:8X}"
    return f"{packets} {counts.in_bytes:16X} {counts.out_bytes:16X}"


def _hex(address: Address) -> str:
    """IPv4 as eight digits, IPv6 in eight full groups."""
    return address.packed.hex(":", 2) if address.is_ipv6 else address.packed.hex().upper()


def _bracketed(address: Address) -> str:
    return f"[{_hex(address)}]" if address.is_ipv6 else _hex(address)
