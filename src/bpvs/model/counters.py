# SPDX-License-Identifier: GPL-2.0-or-later
"""What the data plane counted: totals, rates and connections in force."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bpvs.model.address import Address
from bpvs.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the last zero point; bytes are IP packet lengths without link headers."""

    connections: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.connections + other.connections,
            self.in_packets + other.in_packets,
            self.out_packets + other.out_packets,
            self.in_bytes + other.in_bytes,
            self.out_bytes + other.out_bytes,
        )

    def __sub__(self, other: Counters) -> Counters:
        return Counters(
            self.connections - other.connections,
            self.in_packets - other.in_packets,
            self.out_packets - other.out_packets,
            self.in_bytes - other.in_bytes,
            self.out_bytes - other.out_bytes,
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """What `--rate` shows: per second, smoothed by the estimator of IPVS (net/netfilter/ipvs/ip_vs_est.c)."""

    connections: int = 0
    in_packets: int = 0
    out_packets: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


NO_COUNTERS = Counters()
NO_RATES = Rates()


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything together that a director counted, also for services and servers that are gone."""

    counters: Counters = NO_COUNTERS
    rates: Rates = NO_RATES


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server's connections in force (active, inactive, persistence templates) and its counters.

    `is_local`: the address is one of the director's, which delivers the server's packets to itself.
    """

    active: int = 0
    inactive: int = 0
    persistent: int = 0
    counters: Counters = NO_COUNTERS
    rates: Rates = NO_RATES
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class LocalStatus:
    """A local address of a service: ports in use towards real servers, and how often no port was free."""

    ports: int = 0
    exhausted: int = 0


NO_STATUS = ServerStatus()
NO_LOCAL = LocalStatus()
NO_SERVERS: Mapping[tuple[Address, int], ServerStatus] = MappingProxyType({})
NO_LOCALS: Mapping[Address, LocalStatus] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service's counters, its servers' by (address, port), and the use of its local addresses."""

    counters: Counters = NO_COUNTERS
    rates: Rates = NO_RATES
    servers: Mapping[tuple[Address, int], ServerStatus] = NO_SERVERS
    locals: Mapping[Address, LocalStatus] = NO_LOCALS

    def server(self, address: Address, port: int) -> ServerStatus:
        """The status of one server; all zero if the data plane knows nothing of it."""
        return self.servers.get((address, port), NO_STATUS)

    def local(self, address: Address) -> LocalStatus:
        """The use of one local address; all zero if the data plane knows nothing of it."""
        return self.locals.get(address, NO_LOCAL)
