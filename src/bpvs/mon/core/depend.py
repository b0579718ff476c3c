# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies: whether the services that one relies on let its alerts, its monitor and its hosts through."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from bpvs.model.errors import BpvsError
from bpvs.model.mon import Behaviour, Key
from bpvs.mon.core.world import FAILING, SUCCEEDING, named_hosts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.model.mon import Expression, Service
    from bpvs.mon.core.values import Moment
    from bpvs.mon.core.world import World

DEFAULT_DEPTH = 10  # dep_recur_limit


class EndlessDependency(BpvsError):
    """Dependencies that lead in a circle, or further than dep_recur_limit."""

    text = "dependencies go deeper than dep_recur_limit"


class Dependencies:
    """What the expressions of a configuration come to. `recovered` remembers successes for dep_memory."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recovered: dict[Key, float] = {}  # Moment.clock at which an outage ended

        self._memories = sorted({service.depend_memory for service in world.config.services.values()})

    def note_recovery(self, key: Key, now: Moment) -> None:
        """An outage of this service ended now."""
        self._recovered[key] = now.clock

    def seconds_remembered(self, key: Key, now: Moment) -> float | None:
        """Seconds until some dep_memory of the configuration forgets this service's outage; None: all have."""
        elapsed = now.clock - self._recovered.get(key, -inf)
        return next((memory - elapsed for memory in self._memories if memory > elapsed), None)

    def holds(self, key: Key, behaviour: Behaviour, now: Moment) -> bool | None:
        """Whether all that this service relies on is well; None: there is no expression. Raises EndlessDependency."""
        service = self._world.config.services[key]
        expression = expression_of(service, behaviour)
        if expression is None:
            return None
        return _Evaluation(self._world, self._recovered, behaviour, service.depend_memory, now).of(expression, (key,))

    def spared_hosts(self, key: Key, hosts: Iterable[str], now: Moment) -> frozenset[str]:
        """Those of `hosts` that a service of `hostdepend` names as failing, so that testing them tells nothing new."""
        service = self._world.config.services[key]
        expression = expression_of(service, Behaviour.HOSTS)
        if expression is None:
            return frozenset()
        hosts = tuple(hosts)
        return frozenset(
            host
            for atom in expression.atoms()
            for host in named_hosts(self._complaint(Key(*atom), service.depend_memory, now), hosts)
        )

    def _complaint(self, key: Key, memory: float, now: Moment) -> str:
        """The summary line in which this service names its failing hosts; empty: it fails no more."""
        state = self._world.states.get(key)
        if state is None:
            return ""
        if state.op_status in FAILING:
            return state.last_summary
        memory = max(memory, self._world.config.services[key].depend_memory)
        return state.last_failure_summary if recently(self._recovered.get(key), memory, now) else ""


class _Evaluation:
    """One evaluation of an expression and all that it leads to; each service is looked at once."""

    def __init__(
        self, world: World, recovered: dict[Key, float], behaviour: Behaviour, memory: float, now: Moment
    ) -> None:
        self._world = world
        self._recovered = recovered
        self._behaviour = behaviour
        self._memory = memory
        self._now = now
        self._limit = DEFAULT_DEPTH if (limit := world.config.settings.dep_recur_limit) is None else limit
        self._known: dict[Key, bool] = {}

    def of(self, expression: Expression, path: tuple[Key, ...]) -> bool:
        """The value of an expression; `path` are the services that led to it."""
        return expression.value(lambda atom: self._is_well(Key(*atom), path))

    def _is_well(self, key: Key, path: tuple[Key, ...]) -> bool:
        if key not in self._known:
            if key in path or len(path) > self._limit:
                raise EndlessDependency(f"the dependencies of {path[0]} lead in a circle or deeper than {self._limit}")
            self._known[key] = self._itself_well(key) and self._relies_on_well(key, (*path, key))
        return self._known[key]

    def _itself_well(self, key: Key) -> bool:
        state = self._world.states.get(key)
        if state is None or state.op_status not in SUCCEEDING:
            return False
        memory = max(self._memory, self._world.config.services[key].depend_memory)
        return not recently(self._recovered.get(key), memory, self._now)

    def _relies_on_well(self, key: Key, path: tuple[Key, ...]) -> bool:
        expression = expression_of(self._world.config.services[key], self._behaviour)
        return expression is None or self.of(expression, path)


def expression_of(service: Service, behaviour: Behaviour) -> Expression | None:
    """The expression that decides on this; `depend` goes before the keyword of its behaviour."""
    if service.depend is not None and service.depend_behaviour is behaviour:
        return service.depend
    match behaviour:
        case Behaviour.ALERT:
            return service.alert_depend
        case Behaviour.MONITOR:
            return service.monitor_depend
        case Behaviour.HOSTS:
            return service.host_depend


def recently(recovered: float | None, memory: float, now: Moment) -> bool:
    """Whether an outage ended less than `memory` seconds ago."""
    return recovered is not None and now.clock - recovered < memory
