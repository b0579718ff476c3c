# SPDX-License-Identifier: GPL-2.0-or-later
"""When: due times in a heap, on a clock that stands still while the scheduler does.

Due times are seconds of `Schedule.time`, which goes on with `Moment.clock` and rests while frozen. So the wall clock
moves nothing, and a pause costs nothing however many services there are.
"""

from __future__ import annotations

import math
from enum import IntEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import Moment

# The first runs of services with the same interval lie this part of it apart (modulo one): evenly, however many.
_GOLDEN = (math.sqrt(5) - 1) / 2


class Timer(IntEnum):
    """What is due, in the order in which things due at the same time are done."""

    CLEAR = 0  # trapduration is over
    HEARTBEAT = 1  # traptimeout: no trap came
    RECOVERED = 2  # dep_memory is over
    MONITOR = 3


class Schedule:
    """The due times of all services; a service is named by its key, ties are decided by its rank in the file."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._heap: list[tuple[float, Timer, int, Key]] = []
        self._due: dict[Timer, dict[Key, float]] = {timer: {} for timer in Timer}
        self._planned: dict[Key, float] = {}
        self._rank: dict[Key, int] = {}
        self._lost = 0.0
        self._frozen: set[str] = set()
        self._frozen_at = 0.0

    # The clock

    def time(self, now: Moment) -> float:
        """The schedule's own time."""
        return (self._frozen_at if self._frozen else now.clock) - self._lost

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return bool(self._frozen)

    def freeze(self, reason: str, now: Moment) -> None:
        """Let time stand still until every reason is gone."""
        if not self._frozen:
            self._frozen_at = now.clock
        self._frozen.add(reason)

    def thaw(self, reason: str, now: Moment) -> None:
        """The reason is gone."""
        if self._frozen == {reason}:
            self._lost += now.clock - self._frozen_at
        self._frozen.discard(reason)

    # Due times

    def next_due(self) -> float | None:
        """`Moment.clock` of the next due time; None: nothing will be due."""
        self._drop_stale()
        return self._heap[0][0] + self._lost if self._heap and not self._frozen else None

    def set(self, timer: Timer, key: Key, due: float) -> None:
        """Due at this time of the schedule, and at no other."""
        self._due[timer][key] = due
        heappush(self._heap, (due, timer, self._rank.setdefault(key, len(self._rank)), key))

    def cancel(self, timer: Timer, key: Key) -> None:
        """Not due at all."""
        self._due[timer].pop(key, None)

    def due(self, timer: Timer, key: Key) -> float | None:
        """When this is due; None: it is not."""
        return self._due[timer].get(key)

    def pop(self, now: Moment) -> Iterator[tuple[Timer, Key, float]]:
        """Whatever is due by now, with its time, the longest due first; it is due no longer then."""
        time = self.time(now)
        while True:
            self._drop_stale()
            if not self._heap or self._heap[0][0] > time:
                return
            due, timer, _, key = heappop(self._heap)
            del self._due[timer][key]
            yield timer, key, due

    def _drop_stale(self) -> None:
        """Take what was set anew or cancelled from the top of the heap."""
        while self._heap:
            due, timer, _, key = self._heap[0]
            if self._due[timer].get(key) == due:
                return
            heappop(self._heap)

    # Runs of monitors

    def first_run(self, key: Key, interval: float, randstart: float | None, now: Moment) -> None:
        """Plan the first run: within `randstart`, or within the interval, each service at its own part of it.

        The first service in the file waits for its whole interval.
        """
        rank = self._rank.setdefault(key, len(self._rank))
        wait = self._random.uniform(0, randstart) if randstart else interval * (1 - rank * _GOLDEN % 1)
        self.plan(key, self.time(now) + wait)

    def plan(self, key: Key, start: float) -> None:
        """The next run is due at `start`, and the later ones whole intervals after it."""
        self._planned[key] = start
        self.set(Timer.MONITOR, key, start)

    def next_run(self, key: Key, interval: float, skew: float, now: Moment) -> None:
        """A run is over: the next is due at the next whole interval, `skew` seconds sooner or later at most.

        Starts that the run itself, or anything else, has made impossible are left out, not made up for.
        """
        time = self.time(now)
        planned = self._planned.get(key, time) + interval
        if planned <= time:
            planned += interval * (math.floor((time - planned) / interval) + 1)
        self._planned[key] = planned
        self.set(Timer.MONITOR, key, planned + (self._random.uniform(-skew, skew) if skew else 0.0))
