# SPDX-License-Identifier: GPL-2.0-or-later
"""choose.h, sched/scan.h, sched/walk.h, sched/list.h, sched/order.h, sched/slots.h, sched/hash.h: whatever changes on
the way, connections go where the schedulers' models send them.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Address, Family, Method, Protocol, RealServer, ServiceKey, VirtualService
from tests.packets.rig import Hook, Rig
from tests.property.scheduler_model import Packet
from tests.property.scheduling import ADDRESSES6, NAMES, NEVER, VIRTUAL, VIRTUAL6, Step, Trial

pytestmark = pytest.mark.root

BUILT = ("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "dh", "mh")
FLAGS = {"sh": ("sh-fallback", "sh-port"), "mh": ("mh-fallback", "mh-port")}

names = st.sampled_from(NAMES)
small = st.integers(0, 12)
weights = st.one_of(small, st.sampled_from((0, 1, NEVER, NEVER - 1, 2**30, 65536, 65537)))
clients = st.binary(min_size=2, max_size=2).map(lambda end: Address(Family.IPV4, bytes((10, 9)) + end))


def chosen(scheduler: str) -> st.SearchStrategy[Step]:
    flags = st.frozensets(st.sampled_from(FLAGS[scheduler])) if scheduler in FLAGS else st.just(frozenset[str]())
    return st.tuples(st.just("scheduler"), st.just(scheduler), flags)


def steps(of: st.SearchStrategy[int], schedulers: tuple[str, ...]) -> st.SearchStrategy[Step]:
    return st.one_of(
        st.tuples(st.just("server"), names, of),
        st.tuples(st.just("server"), names, of),
        st.tuples(st.just("delete"), names, st.just(0)),
        *map(chosen, schedulers),
    )


def begin(rig: Rig, hook: Hook, scheduler: Step, servers: list[int]) -> Trial:
    assert isinstance(scheduler[2], frozenset)
    trial = Trial(rig, scheduler[1], scheduler[2], hook)
    trial.change(*(("server", name, weight) for name, weight in zip(NAMES, servers, strict=False)))
    return trial


def compare(rig: Rig, trial: Trial, sources: list[Address]) -> None:
    packets = [Packet(source, rig.port(), VIRTUAL) for source in sources]
    assert [trial.connect(packet) for packet in packets] == [trial.model.connect(packet) for packet in packets]


common = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("scheduler", BUILT)
@common
@given(
    data=st.data(),
    hook=st.sampled_from(Hook),
    servers=st.lists(small, min_size=2, max_size=20),
    rounds=st.lists(
        st.tuples(
            st.lists(steps(small, ()), max_size=3),  # of one command
            st.lists(names, max_size=4),  # servers that are overloaded, or no longer
            st.lists(clients, max_size=30),
            st.lists(names, max_size=10),  # servers that lose a connection
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_load_and_changes(
    rig: Rig,
    scheduler: str,
    data: st.DataObject,
    hook: Hook,
    servers: list[int],
    rounds: list[tuple[list[Step], list[str], list[Address], list[str]]],
) -> None:
    trial = begin(rig, hook, data.draw(chosen(scheduler)), servers)
    for changes, overloads, sources, ends in rounds:
        trial.change(*changes)
        for name in overloads:
            server = trial.model.server(name)
            if server:
                trial.overload(name, is_overloaded=not server.is_overloaded)
        compare(rig, trial, sources)
        for name in ends:
            trial.close(name)
        assert trial.counts() == tuple((one.active, one.inactive) for one in reversed(trial.model.servers))


@common
@given(
    scheduler=st.sampled_from(BUILT).flatmap(chosen),
    hook=st.sampled_from(Hook),
    rounds=st.lists(
        st.tuples(st.lists(steps(weights, BUILT), max_size=4), st.lists(clients, max_size=9)), min_size=1, max_size=8
    ),
)
def test_any_scheduler_after_any_other(
    rig: Rig, scheduler: Step, hook: Hook, rounds: list[tuple[list[Step], list[Address]]]
) -> None:
    trial = begin(rig, hook, scheduler, [])
    for changes, sources in rounds:
        trial.change(*changes)
        compare(rig, trial, sources)


@common
@given(scheduler=st.sampled_from(("rr", "wrr")), servers=st.lists(st.integers(0, 20), min_size=1, max_size=7))
def test_long_sequences(rig: Rig, scheduler: str, servers: list[int]) -> None:
    """Also over the end of a whole round of weights."""
    trial = begin(rig, Hook.TC, ("scheduler", scheduler, frozenset()), servers)
    compare(rig, trial, [Address.parse("10.9.0.2")] * (sum(servers) + 10))


@pytest.mark.parametrize(
    ("scheduler", "flags"), [("sh", {"sh-fallback"}), ("mh", {"mh-fallback", "mh-port"}), ("dh", set()), ("wlc", set())]
)
@common
@given(
    hook=st.sampled_from(Hook),
    servers=st.lists(small, min_size=2, max_size=20),
    sources=st.lists(st.binary(min_size=14, max_size=14), max_size=30),
)
def test_ipv6(rig: Rig, scheduler: str, flags: set[str], hook: Hook, servers: list[int], sources: list[bytes]) -> None:
    trial = Trial(rig, scheduler, frozenset(flags), hook, virtual=VIRTUAL6, addresses=ADDRESSES6)
    trial.change(*(("server", name, weight) for name, weight in zip(NAMES, servers, strict=False)))
    clients6 = [Address(Family.IPV6, b"\xfd\x09" + source) for source in sources]
    packets = [Packet(client, rig.port(), VIRTUAL6) for client in clients6]
    assert [trial.connect(packet) for packet in packets] == [trial.model.connect(packet) for packet in packets]


@pytest.mark.parametrize("scheduler", ["fo", "ovf"])
def test_an_order_ends_with_its_table(rig: Rig, scheduler: str) -> None:
    """Behind it lies the table of another service, whose places are none of its list."""
    addresses = {f"rs{number}": (Address.parse(f"10.8.0.{number}"), 80) for number in range(1, 61)}
    trial = Trial(rig, scheduler, addresses=addresses)
    trial.change(*(("server", f"rs{number}", int(number == 40)) for number in range(1, 41)))
    other = ServiceKey.at(Protocol.TCP, VIRTUAL, rig.port())
    with rig.change() as table:
        table.add_service(VirtualService(other, scheduler))
        for address, port in addresses.values():  # the first one is the heaviest: its place is 59
            weight = 60 - address.packed[3] + 1
            table.add_server(other, RealServer(address, port, Method.NAT, weight))
    trial.overload("rs40", is_overloaded=True)
    assert trial.connect(Packet(Address.parse("10.9.0.2"), rig.port(), VIRTUAL)) is None
    trial.overload("rs40", is_overloaded=False)
    assert trial.connect(Packet(Address.parse("10.9.0.2"), rig.port(), VIRTUAL)) == "rs40"
