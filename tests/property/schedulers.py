# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of all schedulers by name."""

from __future__ import annotations

from tests.property.scheduler_cache_model import LocalityBased, LocalityBasedReplicated
from tests.property.scheduler_hash_model import DestinationHashing, Maglev, SourceHashing
from tests.property.scheduler_load_model import (
    Failover,
    LeastConnection,
    NeverQueue,
    Overflow,
    PowerOfTwos,
    ShortestExpectedDelay,
    WeightedLeastConnection,
)
from tests.property.scheduler_model import RoundRobin, Scheduler, WeightedRoundRobin

SCHEDULERS: dict[str, type[Scheduler]] = {
    "rr": RoundRobin,
    "wrr": WeightedRoundRobin,
    "lc": LeastConnection,
    "wlc": WeightedLeastConnection,
    "lblc": LocalityBased,
    "lblcr": LocalityBasedReplicated,
    "dh": DestinationHashing,
    "sh": SourceHashing,
    "sed": ShortestExpectedDelay,
    "nq": NeverQueue,
    "fo": Failover,
    "ovf": Overflow,
    "mh": Maglev,
    "twos": PowerOfTwos,
}
