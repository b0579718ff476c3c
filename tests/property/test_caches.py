# SPDX-License-Identifier: GPL-2.0-or-later
"""sched/lblc.h, sched/lblcr.h, sched/cache.h, forget.h: destinations keep their servers as long as IPVS lets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.kernel import _abi
from bpvs.model import Address, Family
from tests.packets.rig import Hook, Rig
from tests.property.caching import Cache
from tests.property.recordings import Block, blocks
from tests.property.scheduler_cache_model import DAY, HARD_LIMIT, SOFT_LIMIT, Caching
from tests.property.scheduler_model import Packet
from tests.property.scheduling import NAMES, VIRTUAL, Step, Trial

pytestmark = pytest.mark.root

CACHING = ("lblc", "lblcr")
UNMARKED = {name: (Address.parse(f"10.8.0.{name[2:]}"), 0) for name in NAMES}
DESTINATIONS = [Address.parse(f"10.0.0.{last}") for last in range(120, 126)]
SOURCE = Address.parse("10.9.0.2")
MINUTE = 60


def trial_of(rig: Rig, scheduler: str, *weights: int) -> Trial:
    """A service by mark, which has many virtual addresses."""
    trial = Trial(rig, scheduler, addresses=UNMARKED, is_marked=True)
    trial.change(*(("server", name, weight) for name, weight in zip(NAMES, weights, strict=False)))
    return trial


def compare(rig: Rig, trial: Trial, destinations: list[Address], now: int = 0) -> None:
    packets = [Packet(SOURCE, rig.port(), destination) for destination in destinations]
    assert [trial.connect(packet) for packet in packets] == [trial.model.connect(packet, now) for packet in packets]


def remembered(trial: Trial) -> dict[Address, list[Address]]:
    """The servers of each destination in the model."""
    scheduler = trial.model.scheduler
    entries = scheduler.cache.items() if isinstance(scheduler, Caching) else ()
    return {destination: [server.address for server in entry.servers] for destination, entry in entries}


def recordings() -> Iterator[tuple[Block, Block]]:
    """The blocks of many virtual addresses, each with the one before, whose connections its servers still have."""
    *_, dh, lblc, lblcr = blocks("scheduler_hashes.out")
    return iter([(Block("", (), ()), dh), (dh, lblc), (lblc, lblcr)])


@pytest.mark.parametrize(("before", "block"), [*recordings()], ids=("dh", *CACHING))
def test_recorded_destinations(rig: Rig, before: Block, block: Block) -> None:
    trial = trial_of(rig, block.scheduler, 2, 2, 2)
    for name, (active, inactive) in zip(NAMES, before.counts, strict=False):
        trial.load(name, active, inactive)
    packets = [Packet(SOURCE, rig.port(), Address.parse(f"10.9.0.{last}")) for last in range(101, 133)]
    again = [packet._replace(port=rig.port()) for packet in packets[:16]]
    picks = tuple(map(trial.connect, packets)), tuple(map(trial.connect, again))
    assert picks == block.picks
    assert [sum(one) for one in trial.counts()] == [sum(one) for one in block.counts]


small = st.integers(0, 4)
names = st.sampled_from(NAMES[:6])
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("server"), names, small),
    st.tuples(st.just("delete"), names, st.just(0)),
    st.tuples(st.just("scheduler"), st.sampled_from((*CACHING, "rr")), st.just(frozenset[str]())),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("scheduler", CACHING)
@given(
    weights=st.lists(small, min_size=2, max_size=6),
    rounds=st.lists(
        st.tuples(
            st.lists(steps, max_size=2),
            st.lists(names, max_size=2),  # overloaded, or no longer
            st.sampled_from((0, DAY * 2 // 5, DAY + 100)),  # seconds that pass
            st.lists(st.sampled_from(DESTINATIONS[:3]), max_size=20),
            st.lists(names, max_size=12),  # servers that lose a connection
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_load_time_and_changes(
    rig: Rig,
    scheduler: str,
    weights: list[int],
    rounds: list[tuple[list[Step], list[str], int, list[Address], list[str]]],
) -> None:
    trial = trial_of(rig, scheduler, *weights)
    cache = Cache(trial)
    now = 0
    for changes, overloads, seconds, destinations, ends in rounds:
        trial.change(*changes)
        for name in overloads:
            server = trial.model.server(name)
            if server:
                trial.overload(name, is_overloaded=not server.is_overloaded)
        now += seconds
        cache.pass_time(seconds)
        compare(rig, trial, destinations, now)
        if isinstance(trial.model.scheduler, Caching):
            assert cache.servers() == remembered(trial)
        for name in ends:
            trial.close(name)


def test_a_set_grows_under_load_and_loses_one_a_day(rig: Rig) -> None:
    trial = trial_of(rig, "lblcr", 1, 2, 2, 2)
    cache = Cache(trial)
    there = DESTINATIONS[:1]
    for load in ({}, {"rs4": 3}, {"rs3": 3}, {"rs2": 3}):
        for name, active in load.items():
            trial.load(name, active, 0)
        compare(rig, trial, there)
    assert [str(server) for server in cache.servers()[there[0]]] == ["10.8.0.1", "10.8.0.2", "10.8.0.3", "10.8.0.4"]
    trial.load("rs3", 9, 0)
    trial.change(("delete", "rs2", 0))
    left = []
    for day in (1, 2, 3, 4):
        cache.pass_time(DAY + 100)
        compare(rig, trial, there, day * (DAY + 100))
        assert cache.servers() == remembered(trial)
        left.append([str(server)[-1] for server in cache.servers()[there[0]]])
    assert left == [["1", "3", "4"], ["1", "4"], ["4"], ["4"]]


@pytest.mark.parametrize("scheduler", CACHING)
def test_who_finds_no_server_asks_for_the_destination_all_the_same(rig: Rig, scheduler: str) -> None:
    trial = trial_of(rig, scheduler, 1, 1)
    cache = Cache(trial)
    there = DESTINATIONS[:1]
    compare(rig, trial, there)
    trial.load("rs1", 3, 0)
    compare(rig, trial, there)
    trial.change(("delete", "rs1", 0), ("delete", "rs2", 0))
    cache.pass_time(DAY + 100)
    compare(rig, trial, there, DAY + 100)
    assert cache.servers() == remembered(trial)
    cache.minute(age=29)
    assert cache.destinations() == {*there}


def test_what_another_cpu_used_a_moment_ahead_is_not_old(rig: Rig) -> None:
    trial = trial_of(rig, "lblcr", 2, 2)
    cache = Cache(trial)
    compare(rig, trial, DESTINATIONS[:1])
    trial.load("rs2", 3, 0)
    compare(rig, trial, DESTINATIONS[:1])
    assert len(cache.servers()[DESTINATIONS[0]]) == 2
    cache.pass_time(-1)
    compare(rig, trial, DESTINATIONS[:1])
    assert len(cache.servers()[DESTINATIONS[0]]) == 2
    cache.pass_time(-1)
    cache.minute(age=29)
    assert cache.destinations() == {DESTINATIONS[0]}


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("scheduler", CACHING)
def test_both_hooks(rig: Rig, scheduler: str, hook: Hook) -> None:
    """Also for a service by address, which has only one destination."""
    trial = Trial(rig, scheduler, hook=hook)
    trial.change(("server", "rs1", 3), ("server", "rs2", 1), ("server", "rs3", 2))
    compare(rig, trial, [VIRTUAL] * 20)


@pytest.mark.parametrize("scheduler", CACHING)
def test_what_is_not_used_is_forgotten_every_half_hour(rig: Rig, scheduler: str) -> None:
    trial = trial_of(rig, scheduler, 1, 1)
    cache = Cache(trial)
    compare(rig, trial, DESTINATIONS)
    cache.pass_time(DAY + 100)
    compare(rig, trial, DESTINATIONS[:2], DAY + 100)
    cache.minute(age=28)
    assert cache.destinations() == {*DESTINATIONS}
    cache.minute(age=29)
    assert cache.destinations() == {*DESTINATIONS[:2]}
    assert isinstance(trial.model.scheduler, Caching)
    for _ in range(30):
        trial.model.scheduler.minute(DAY + 100)
    assert remembered(trial).keys() == {*DESTINATIONS[:2]}


@pytest.mark.parametrize("scheduler", CACHING)
def test_above_the_goal_some_are_forgotten_every_minute(rig: Rig, scheduler: str) -> None:
    trial = trial_of(rig, scheduler, 1)
    cache = Cache(trial)
    made = [Address(Family.IPV4, bytes((10, 3, *number.to_bytes(2)))) for number in range(SOFT_LIMIT + 300)]
    cache.fill(made[:1000], idle=5 * MINUTE)
    cache.fill(made[1000:], idle=7 * MINUTE)
    cache.minute(age=3)
    assert len(cache.destinations()) == len(made) - 300 * 4 // 3
    assert {*made[:1000]} <= cache.destinations()
    cache.minute(age=4)
    assert len(cache.destinations()) == len(made) - 400


@pytest.mark.parametrize("scheduler", CACHING)
def test_beyond_the_limit_none_is_remembered(rig: Rig, scheduler: str) -> None:
    trial = trial_of(rig, scheduler, 1, 1)
    cache = Cache(trial)
    compare(rig, trial, DESTINATIONS[:2])
    cache._instance.services.store(cache.row, "cached", HARD_LIMIT)
    assert _abi.CACHE_LIMIT == HARD_LIMIT
    assert trial.connect(Packet(SOURCE, rig.port(), DESTINATIONS[3])) is not None
    compare(rig, trial, DESTINATIONS[:1])
    assert cache.destinations() == {*DESTINATIONS[:2]}


@pytest.mark.parametrize("scheduler", CACHING)
def test_nobody_inherits_and_all_of_it_goes(rig: Rig, scheduler: str) -> None:
    """Another scheduler, or none: it begins from scratch, and the housekeeper takes the rest away."""
    trial = trial_of(rig, scheduler, 1, 1)
    cache = Cache(trial)
    compare(rig, trial, DESTINATIONS)
    first = cache.generation
    trial.change(("scheduler", "rr", frozenset()))
    trial.change(("scheduler", scheduler, frozenset()))
    assert cache.destinations() == set()
    compare(rig, trial, DESTINATIONS[:1])
    cache.minute(age=1)
    assert first not in cache.generations()
    assert cache.destinations() == {DESTINATIONS[0]}
    with rig.change() as table:
        table.clear()
    cache.minute(age=1)
    assert cache.generations() == set()
    cache.minute(age=1)
    assert list(cache.members) == []


@pytest.mark.parametrize("scheduler", CACHING)
def test_the_cache_survives_an_edit(rig: Rig, scheduler: str) -> None:
    trial = trial_of(rig, scheduler, 1, 1)
    cache = Cache(trial)
    compare(rig, trial, DESTINATIONS)
    trial.change(("scheduler", scheduler, frozenset()), ("server", "rs3", 5))
    assert cache.destinations() == {*DESTINATIONS}
    compare(rig, trial, DESTINATIONS)
