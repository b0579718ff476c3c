# SPDX-License-Identifier: GPL-2.0-or-later
"""A director without a data plane and a resolver without a network, for tests of whatever sits above them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from bpvs.model import (
    Address,
    Check,
    Connection,
    Counters,
    Family,
    InvalidLocal,
    InvalidServer,
    Protocol,
    RealServer,
    ServiceKey,
    ServiceStatus,
    Table,
    Timeouts,
    Totals,
    UnknownScheduler,
    VirtualService,
)
from bpvs.model.mark_rule import MarkRule
from bpvs.model.operations import Operations
from bpvs.model.sysctls import default_sysctls, fixed_sysctls
from bpvs.text.names import PROTOCOL_NAMES, Resolver

SCHEDULERS = frozenset(("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "none"))
ENGINES = frozenset(("", "sip"))


class MemoryDirector(Operations):
    """Holds a table in memory and refuses what IPVS on Linux 6.1 would; everything else is as the caller sets it.

    `broadcasts` holds the broadcast addresses that a routing table would know, which are no servers. `statuses`,
    `sums`, `cpus`, `entries`, `limits` and `settings` are what `status()`, `totals()`, `cpu_counters()`,
    `connections()`, `timeouts()` and `sysctls()` answer. `published` counts the changes that came through. `check`
    replaces the rules of IPVS, for example by those of a real data plane.
    """

    def __init__(self, check: Check | None = None) -> None:
        self._table = Table()
        self._check = check
        self.broadcasts: set[Address] = set()
        self.statuses: Mapping[ServiceKey, ServiceStatus] = {}
        self.sums = Totals()
        self.cpus = [Counters()]
        self.entries: list[Connection] = []
        self.limits = Timeouts()
        self.settings = default_sysctls() | fixed_sysctls()
        self.published = 0
        self._mark_rules: tuple[MarkRule, ...] = ()

    def table(self) -> Table:
        """A snapshot."""
        return self._table.copy()

    def change(self) -> AbstractContextManager[Table]:
        """A copy to change, which replaces the table if the block does not raise.

        The counters of what is new or zeroed are forgotten; timeouts that were set count.
        """
        return self._change()

    @contextmanager
    def _change(self) -> Iterator[Table]:
        pending = self._table.copy(self._check or IpvsCheck(self.broadcasts))
        yield pending
        self._table = pending
        self.published += 1
        self.limits = pending.timeouts.over(self.limits)
        self.settings |= pending.sysctls
        gone = pending.fresh | pending.zeroed | {key for key in pending.dirty if not pending.has(key)}
        kept = {} if pending.zeroed_all else {key: s for key, s in self.statuses.items() if key not in gone}
        self.statuses = kept
        if pending.zeroed_all:
            self.sums = Totals()

    def rehearse(self) -> AbstractContextManager[Table]:
        """A copy to change, under the same rules, that replaces nothing."""
        return self._rehearse()

    @contextmanager
    def _rehearse(self) -> Iterator[Table]:
        yield self._table.copy(self._check or IpvsCheck(self.broadcasts))

    def mark_rules(self) -> tuple[MarkRule, ...]:
        """The rules that were set."""
        return self._mark_rules

    def set_mark_rules(self, change: Callable[[tuple[MarkRule, ...]], Sequence[MarkRule]]) -> None:
        """Put what `change` makes of the rules in their place; there is no limit to their number."""
        self._mark_rules = tuple(change(self._mark_rules))

    def status(self) -> Mapping[ServiceKey, ServiceStatus]:
        """The statuses that were set."""
        return self.statuses

    def totals(self) -> Totals:
        """The totals that were set."""
        return self.sums

    def cpu_counters(self) -> list[Counters]:
        """The CPUs' counters that were set."""
        return self.cpus

    def connections(self) -> Iterator[Connection]:
        """The entries that were set."""
        return iter(self.entries)

    def sysctls(self) -> Mapping[str, int]:
        """The settings as they were set, IPVS's defaults before."""
        return self.settings

    def timeouts(self) -> Timeouts:
        """The timeouts that were set."""
        return self.limits


class IpvsCheck(Check):
    """Refuses what IPVS itself refuses: unknown schedulers and engines, addresses that are not unicast."""

    def __init__(self, broadcasts: Collection[Address]) -> None:
        self._broadcasts = broadcasts

    def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
        """UnknownScheduler."""
        if service.scheduler not in SCHEDULERS or service.engine not in ENGINES:
            raise UnknownScheduler

    def server(self, service: VirtualService, server: RealServer) -> None:
        """InvalidServer."""
        if server.address in self._broadcasts or not _is_unicast(server.address):
            raise InvalidServer

    def local(self, service: VirtualService, address: Address) -> None:
        """InvalidLocal."""
        if address in self._broadcasts:
            raise InvalidLocal


def _is_unicast(address: Address) -> bool:
    first = address.packed[0]
    if address.family == Family.IPV4:
        return 0 < first < 224
    return first != 0xFF and address.packed[:2] != b"\xfe\x80" and any(address.packed)


class FixedResolver(Resolver):
    """Knows the given names only; `hosts` maps an address to its names, `services` maps (name, protocol) to a port."""

    def __init__(self, hosts: Mapping[str, Iterable[str]], services: Mapping[tuple[str, str], int]) -> None:
        self._names = {Address.parse(address): list(names) for address, names in hosts.items()}
        self._services = services

    def address_of(self, host: str) -> bytes | None:
        """The first IPv4 address that has the name."""
        found = (a.packed for a, names in self._names.items() if host in names and not a.is_ipv6)
        return next(found, None)

    def port_of(self, service: str, protocol: Protocol) -> int | None:
        """The port under this name."""
        return self._services.get((service, PROTOCOL_NAMES[protocol]))

    def host_of(self, address: Address) -> str | None:
        """The first name of the address."""
        return next(iter(self._names.get(address, ())), None)

    def service_of(self, port: int, protocol: Protocol) -> str | None:
        """The first name of the port."""
        wanted = (port, PROTOCOL_NAMES[protocol])
        return next((name for (name, spoken), number in self._services.items() if (number, spoken) == wanted), None)
