# SPDX-License-Identifier: GPL-2.0-or-later
"""The director of one network namespace: its table, its counters, its connections.

>>> from bpvs.director import Director
>>> with Director().change() as table:      # doctest: +SKIP
...     table.add_service(service)
...     table.add_server(service.key, server)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bpvs.kernel import _abi, bpf, bpffs
from bpvs.kernel.instance import Instance, collect_dead
from bpvs.model import (
    Address,
    Connection,
    Counters,
    DirectorError,
    Family,
    Rates,
    RealServer,
    ServiceKey,
    ServiceStatus,
    Table,
    Timeouts,
    Totals,
)
from bpvs.model.operations import Operations
from bpvs.model.value import dataclass
from bpvs.net import namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpvs.director.change import Change
    from bpvs.director.interfaces import Attached
    from bpvs.director.probes import Probes
    from bpvs.director.rehearsal import Rehearsal
    from bpvs.model.mark_rule import MarkRule
    from bpvs.net.address import Judge

__all__ = ["Director", "Overview"]


@dataclass(frozen=True, slots=True)
class Overview:
    """A loaded instance: where it is pinned and attached, how much it holds, what it counted.

    `verdicts`: packets not forwarded, by the name of enum verdict.
    """

    cookie: int
    folder: str
    interfaces: tuple[Attached, ...]
    services: int
    servers: int
    connections: int
    connections_limit: int
    tunnel_sources: tuple[str, ...]
    counters: Counters
    rates: Rates
    verdicts: dict[str, int]


class Director(Operations):
    """The data plane of a network namespace.

    `netns`: a name of `ip netns` or a path such as /proc/1/ns/net (FileNotFoundError); None: the calling thread's.
    Nothing is loaded before the first change that needs it; until then the table is empty. Raises PermissionError
    without root's rights, and DirectorError from every method when the kernel or the instance does not allow it.
    """

    def __init__(self, netns: str | None = None) -> None:
        if os.geteuid() != 0:
            raise PermissionError("you must be root")
        self._netns = netns
        with namespace.inside(netns):
            self.cookie = namespace.cookie()
        self._instance: Instance | None = None

    def inside(self) -> namespace.Visit:
        """The calling thread is in the director's namespace for a `with` block; DirectorError if it is another now."""
        return namespace.inside(self._netns, None if self._netns is None else self.cookie)

    def judge(self) -> Judge:
        """What knows the director's routing tables; the caller closes it."""
        from bpvs.net.address import Judge

        with self.inside():
            return Judge()

    def instance(self) -> Instance | None:
        """The loaded instance, or None."""
        if self._instance is None or not self._instance.is_current():
            self._instance = Instance.find(self.cookie)
        return self._instance

    def table(self) -> Table:
        """A copy of the table as it is now."""
        instance = self._settled()
        if instance is None:
            return Table()
        from bpvs.director.rows import read_rows, table_of

        return table_of(read_rows(instance), None)

    def change(self) -> Change:
        """A table to be changed in a `with` block.

        Other commands wait meanwhile. What has changed is published when the block ends, service by service, each with
        one store; if it ends with an exception, nothing is.
        """
        from bpvs.director.change import Change

        return Change(self)

    def rehearse(self) -> Rehearsal:
        """A table to be changed in a `with` block, which refuses what change() would; nothing comes of it.

        Whether the kernel would load and attach the programs is not tried.
        """
        from bpvs.director.rehearsal import Rehearsal

        return Rehearsal(self._settled(), self.judge)

    def probes(
        self, key: ServiceKey, servers: Iterable[RealServer], seconds: float, source: Address | None = None
    ) -> Probes:
        """Ways to a virtual service by one real server each, while a `with` block lasts; a Probe for each server.

        The servers need not be listed (any more), and their weights and thresholds do not count. After `seconds`, at
        most an hour, a probe may end by itself. `source`: where the servers answer to, instead of the address that the
        routing tables give. Raises NoSuchService, InvalidServer, and NotBuilt where no packet would pass the data path:
        the virtual address has to be the director's own.
        """
        from bpvs.director.probes import Probes

        return Probes(self, key, servers, seconds, source)

    def status(self) -> Mapping[ServiceKey, ServiceStatus]:
        """Counters, rates and connection counts of everything in the table."""
        instance = self._settled()
        if instance is None:
            return {}
        from bpvs.director.rows import read_status

        return read_status(instance)

    def totals(self) -> Totals:
        """Counters and rates of all services together, also of those that are gone; `zero(None)` sets them to zero."""
        instance = self.instance()
        if instance is None:
            return Totals()
        from bpvs.director.totals import read_totals

        return read_totals(instance)

    def cpu_counters(self) -> list[Counters]:
        """What each possible CPU counted since the data plane was loaded, by its number."""
        from bpvs.director.totals import read_cpus

        instance = self.instance()
        if instance is None:
            return [Counters()] * bpf.possible_cpus()
        return read_cpus(instance)

    def connections(self) -> Iterator[Connection]:
        """The connections, in no particular order."""
        from bpvs.director.connections import read_connections

        instance = self.instance()
        return read_connections(instance) if instance else iter(())

    def timeouts(self) -> Timeouts:
        """Seconds that idle connections are kept."""
        instance = self.instance()
        if instance is None:
            return Timeouts()
        from bpvs.director.connections import read_timeouts

        seconds = read_timeouts(instance)
        return Timeouts(seconds[_abi.STATE_ESTABLISHED], seconds[_abi.STATE_FIN_WAIT], seconds[_abi.STATE_UDP])

    def sysctls(self) -> dict[str, int]:
        """IPVS's settings, net.ipv4.vs.*, by name; of those that cannot change too, where they mean something.

        drop_entry, drop_packet and secure_tcp are 2 instead of 1 while connections are short, as in IPVS.
        """
        from bpvs.model.sysctls import default_sysctls, fixed_sysctls

        instance = self.instance()
        if instance is None:
            return default_sysctls() | fixed_sysctls()
        from bpvs.director.sysctls import read_sysctls

        return read_sysctls(instance) | fixed_sysctls()

    def mark_rules(self) -> tuple[MarkRule, ...]:
        """The rules that give packets marks without netfilter; the first that fits a packet counts."""
        from bpvs.director import classifier

        instance = self.instance()
        return classifier.read(instance) if instance else ()

    def set_mark_rules(self, change: Callable[[tuple[MarkRule, ...]], Sequence[MarkRule]]) -> None:
        """Put in force what `change` makes of the rules that there are, all at once for packets; InvalidMarkRule.

        Nothing changes if it raises. Loads the data plane if it is not.
        """
        from bpvs.director import classifier

        bpffs.mount()
        with self.inside(), bpffs.Lock(bpffs.root()):
            wanted = change(self.mark_rules())
            instance = self.instance() or self.up_locked(None, "auto", None)
            with bpffs.Lock(instance.folder):
                classifier.write(instance, wanted)

    def verdicts(self) -> dict[str, int]:
        """Packets that were not forwarded, by the name of enum verdict."""
        instance = self.instance()
        if instance is None:
            return {}
        counts = instance.verdicts.sums(range(_abi.VERDICT_COUNT))
        return {
            name: counts[number][0]
            for number, name in _abi.VERDICT_NAMES.items()
            if name not in ("FORWARDED", "VERDICT_COUNT")
        }

    def overview(self) -> Overview | None:
        """What is loaded and how full it is; None when nothing is."""
        from bpvs.director import spread
        from bpvs.director.interfaces import attached

        instance = self._settled()
        if instance is None:
            return None
        table, totals = self.table(), self.totals()
        with self.inside():
            interfaces = tuple(attached(instance))
        counts = [(one.active, one.inactive) for service in self.status().values() for one in service.servers.values()]
        return Overview(
            self.cookie,
            os.path.join(bpffs.ROOT, os.path.basename(instance.folder)),
            interfaces,
            len(table),
            len(counts),
            sum(map(sum, counts)),
            instance.conns.count,
            tuple(map(str, spread.read(instance))),
            totals.counters,
            totals.rates,
            self.verdicts(),
        )

    def up(
        self,
        interfaces: Sequence[str] | None = None,
        mode: str = "auto",
        connections: int | None = None,
        tunnel_sources: Sequence[str] | None = None,
    ) -> None:
        """Load the data plane if it is not, and attach it.

        `interfaces`: names, None for all that can bring packets. `mode`: "auto", "xdp" or "tc". `connections`: size of
        the connection table; DirectorError if it is loaded already with another. `tunnel_sources`: at most one network
        of each family, in which the outer sources of tunnels vary by flow; empty: they do not; None: as before.
        """
        from bpvs.director import spread

        prefixes = None if tunnel_sources is None else [spread.parse(text) for text in tunnel_sources]
        by_family = {prefix.address.family: prefix for prefix in prefixes or ()}
        if prefixes is not None and len(by_family) < len(prefixes):
            raise DirectorError("tunnel sources: one network of each family at most")
        bpffs.mount()
        with self.inside(), bpffs.Lock(bpffs.root()):
            instance = self.up_locked(interfaces, mode, connections)
            if prefixes is not None:
                for family in Family:
                    spread.write(instance, family, by_family.get(family))

    def load(self, connections: int | None = None) -> Instance:
        """The instance, loaded now if it was not."""
        bpffs.mount()
        with self.inside(), bpffs.Lock(bpffs.root()):
            return self._load_locked(connections)

    def up_locked(self, interfaces: Sequence[str] | None, mode: str, connections: int | None) -> Instance:
        """As up(), for a caller that holds the lock on bpffs.root(); what it loaded goes again if attaching fails."""
        from bpvs.director import classifier, marks
        from bpvs.director.interfaces import attach, attach_egress
        from bpvs.director.publish import relocate, settle_locals
        from bpvs.director.rows import read_rows

        before = self.instance()
        if before and connections not in (None, before.conns.count):
            raise DirectorError(
                f"the connection table has {before.conns.count} rows since it was loaded: `bpvs down` first"
            )
        instance = self._load_locked(connections)
        with bpffs.Lock(instance.folder):
            try:
                attach(instance, interfaces, mode)
            except DirectorError:
                if before is None:
                    self._unload(instance)
                raise
            rows = read_rows(instance).values()
            settle_locals(instance, rows)
            marks.settle(instance, rows)
            classifier.settle(instance)
            relocate(instance)
            attach_egress(instance)
        return instance

    def _load_locked(self, connections: int | None) -> Instance:
        from bpvs.kernel import loader

        collect_dead()
        found = self.instance()
        if found is None:
            found = self._instance = loader.load(self.cookie, connections or loader.default_connections())
        return found

    def down(self) -> bool:
        """Detach and unload; False if nothing was loaded. Connections are forgotten."""
        if not bpffs.is_mounted():
            return False
        with self.inside(), bpffs.Lock(bpffs.root()):
            collect_dead()
            instance = self.instance()
            if instance is None:
                return False
            with bpffs.Lock(instance.folder):
                self._unload(instance)
            return True

    def _unload(self, instance: Instance) -> None:
        from bpvs.director import foreign, marks
        from bpvs.director.interfaces import detach_all

        foreign.clear()
        marks.clear(instance)
        detach_all(instance)
        instance.unload()
        self._instance = None

    def _settled(self) -> Instance | None:
        """The instance, with what a killed command left undone finished."""
        instance = self.instance()
        if instance is not None and instance.settings.load(0, "unsettled"):
            from bpvs.director.publish import settle

            with self.inside(), bpffs.Lock(instance.folder):
                settle(instance)
        return instance
