# SPDX-License-Identifier: GPL-2.0-or-later
"""schedule.h, sched/rr.h, sched/wrr.h: connections through the real program go where IPVS would send them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Address, Method, RealServer, ServiceKey, Table, VirtualService
from bpvs.model import Protocol as Transport
from tests.packets.frames import CLIENT, Flow, Path, Shape
from tests.packets.rig import Hook, Rig, mac
from tests.property.recordings import Block, blocks
from tests.property.scheduler_model import Packet, Service
from tests.property.schedulers import SCHEDULERS

pytestmark = pytest.mark.root

VIRTUAL = "10.0.0.111"
KEY = ServiceKey.at(Transport.TCP, Address.parse(VIRTUAL), 80)
BUILT = ("rr", "wrr")
NAMES = tuple(f"rs{number}" for number in range(1, 8))
ADDRESSES = {name: (Address.parse(f"10.2.0.1{name[2:]}"), 80) for name in NAMES}
PACKET = Packet(Address.parse(CLIENT), 0, KEY.address or Address.parse(VIRTUAL))
GREATEST = 2**31 - 1


def server(name: str, weight: int) -> RealServer:
    return RealServer(*ADDRESSES[name], Method.NAT, weight)


def connect(rig: Rig, hook: Hook = Hook.TC) -> str | None:
    """The server that a new connection gets; its frame must go to that server's station."""
    frame = rig.run_uncounted(hook, Flow(Path(CLIENT, VIRTUAL, 80, "10.2.0.11", 80), rig.port()).request(Shape()))[1]
    destination = frame[30:34]
    if destination[:3] != bytes((10, 2, 0)) or frame[23] != Transport.TCP:
        return None
    assert frame[:6] == bytes.fromhex(mac(2, destination[3]).replace(":", ""))
    return f"rs{destination[3] - 10}"


def fresh(rig: Rig, scheduler: str, servers: Iterable[tuple[str, int]] = ()) -> Service:
    """The service and nothing else, each server by a command of its own; and its model."""
    model = Service.begin(SCHEDULERS[scheduler], ADDRESSES)
    with rig.change() as table:
        table.clear()
        table.add_service(VirtualService(KEY, scheduler))
    for name, weight in servers:
        with rig.change() as table:
            table.add_server(KEY, server(name, weight))
        model.add(name, weight)
    return model


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", [one for one in blocks("scheduler_held.out") if one.scheduler in BUILT], ids=str)
def test_recorded_sequences(rig: Rig, hook: Hook, block: Block) -> None:
    fresh(rig, block.scheduler, zip(NAMES, block.weights, strict=False))
    assert tuple(connect(rig, hook) for _ in range(12)) == block.picks[0]


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", blocks("scheduler_changes.out"), ids=str)
def test_recorded_changes_on_the_way(rig: Rig, hook: Hook, block: Block) -> None:
    fresh(rig, block.title.split()[0], [("rs1", 1), ("rs2", 2), ("rs3", 3)])
    changes: tuple[Callable[[Table], None], ...] = (
        lambda _: None,
        lambda table: table.edit_server(KEY, server("rs2", 0)),
        lambda table: table.delete_server(KEY, server("rs3", 3).address, 80),
        lambda table: table.add_server(KEY, server("rs3", 3)),
    )
    for change, expected in zip(changes, block.picks, strict=True):
        with rig.change() as table:
            change(table)
        assert tuple(connect(rig, hook) for _ in expected) == expected


weights = st.one_of(st.integers(0, 20), st.sampled_from((0, 1, GREATEST, GREATEST - 1, 2**30, 65536, 65537)))
steps = st.one_of(
    st.tuples(st.just("server"), st.sampled_from(NAMES), weights),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("scheduler"), st.sampled_from(BUILT), st.just(0)),
)
# A command changes one or several things; then some connections come.
commands = st.lists(st.tuples(st.lists(steps, min_size=1, max_size=4), st.integers(0, 9)), min_size=1, max_size=8)


def apply(table: Table, model: Service, step: tuple[str, str, int]) -> None:
    """One step in the table and in the model."""
    what, name, weight = step
    if what == "scheduler":
        table.edit_service(VirtualService(KEY, name))
        model.choose(SCHEDULERS[name])
    elif what == "server" and model.server(name):
        table.edit_server(KEY, server(name, weight))
        model.edit(name, weight)
    elif what == "server":
        table.add_server(KEY, server(name, weight))
        model.add(name, weight)
    elif model.server(name):
        table.delete_server(KEY, *ADDRESSES[name])
        model.delete(name)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheduler=st.sampled_from(BUILT), changes=commands, hook=st.sampled_from(Hook))
def test_any_changes(
    rig: Rig, scheduler: str, changes: list[tuple[list[tuple[str, str, int]], int]], hook: Hook
) -> None:
    model = fresh(rig, scheduler)
    for batch, connections in changes:
        with rig.change() as table:
            for step in batch:
                apply(table, model, step)
        expected = [model.connect(PACKET) for _ in range(connections)]
        assert [connect(rig, hook) for _ in range(connections)] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheduler=st.sampled_from(BUILT), given_weights=st.lists(st.integers(0, 20), min_size=1, max_size=7))
def test_long_sequences(rig: Rig, scheduler: str, given_weights: list[int]) -> None:
    """Also over the end of a whole round of weights."""
    model = fresh(rig, scheduler, zip(NAMES, given_weights, strict=False))
    expected = [model.connect(PACKET) for _ in range(sum(given_weights) + 10)]
    assert [connect(rig) for _ in expected] == expected
