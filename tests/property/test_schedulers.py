# SPDX-License-Identifier: GPL-2.0-or-later
"""schedule.h, sched/rr.h, sched/wrr.h: connections through the real program go where IPVS would send them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Address, Method, RealServer, ServiceKey, Table, VirtualService
from bpvs.model import Protocol as Transport
from tests.packets.frames import CLIENT, Flow, Path, Shape
from tests.packets.rig import Hook, Rig, mac
from tests.property.ipvs_model import GOLDEN, SCHEDULERS, Scheduler

pytestmark = pytest.mark.root

VIRTUAL = "10.0.0.111"
KEY = ServiceKey.at(Transport.TCP, Address.parse(VIRTUAL), 80)
NAMES = tuple(f"rs{number}" for number in range(1, 8))
GREATEST = 2**31 - 1


def server(name: str, weight: int) -> RealServer:
    return RealServer(Address.parse(f"10.2.0.1{name[2:]}"), 80, Method.NAT, weight)


def connect(rig: Rig, hook: Hook = Hook.TC) -> str | None:
    """The server that a new connection gets; its frame must go to that server's station."""
    frame = rig.run_uncounted(hook, Flow(Path(CLIENT, VIRTUAL, 80, "10.2.0.11", 80), rig.port()).request(Shape()))[1]
    destination = frame[30:34]
    if destination[:3] != bytes((10, 2, 0)) or frame[23] != Transport.TCP:
        return None
    assert frame[:6] == bytes.fromhex(mac(2, destination[3]).replace(":", ""))
    return f"rs{destination[3] - 10}"


def fresh(rig: Rig, scheduler: str, servers: Iterable[tuple[str, int]] = ()) -> None:
    """The service and nothing else, each server by a command of its own."""
    with rig.change() as table:
        table.clear()
        table.add_service(VirtualService(KEY, scheduler))
    for name, weight in servers:
        with rig.change() as table:
            table.add_server(KEY, server(name, weight))


def blocks(file: str) -> list[tuple[str, list[str]]]:
    """The recording's headings with the lines below them."""
    found: list[tuple[str, list[str]]] = []
    for line in (GOLDEN / file).read_text().splitlines():
        if line.startswith("## "):
            found.append((line, []))
        elif not line.startswith("#"):
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("title", "lines"), blocks("scheduler_sequences.out"))
def test_recorded_sequences(rig: Rig, hook: Hook, title: str, lines: list[str]) -> None:
    words = dict(re.findall(r"(\w+)=(\w+)", title))
    fresh(rig, words["scheduler"], [(name, int(words[name])) for name in NAMES[:3]])
    expected = " ".join(lines).split()
    assert [connect(rig, hook) for _ in expected] == expected


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("title", "lines"), blocks("scheduler_changes.out"))
def test_recorded_changes_on_the_way(rig: Rig, hook: Hook, title: str, lines: list[str]) -> None:
    fresh(rig, title.split()[1], [("rs1", 1), ("rs2", 2), ("rs3", 3)])
    changes: tuple[Callable[[Table], None], ...] = (
        lambda _: None,
        lambda table: table.edit_server(KEY, server("rs2", 0)),
        lambda table: table.delete_server(KEY, server("rs3", 3).address, 80),
        lambda table: table.add_server(KEY, server("rs3", 3)),
    )
    for change, line in zip(changes, lines, strict=True):
        with rig.change() as table:
            change(table)
        expected = line.split()
        assert [connect(rig, hook) for _ in expected] == expected


weights = st.one_of(st.integers(0, 20), st.sampled_from((0, 1, GREATEST, GREATEST - 1, 2**30, 65536, 65537)))
steps = st.one_of(
    st.tuples(st.just("server"), st.sampled_from(NAMES), weights),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
    st.tuples(st.just("scheduler"), st.sampled_from(("rr", "wrr")), st.just(0)),
)
# A command changes one or several things; then some connections come.
commands = st.lists(st.tuples(st.lists(steps, min_size=1, max_size=4), st.integers(0, 9)), min_size=1, max_size=8)


def apply(table: Table, model: Scheduler, step: tuple[str, str, int]) -> Scheduler:
    """One step in the table and in the model, whose scheduler may be another one afterwards."""
    what, name, weight = step
    if what == "scheduler":
        changed = table.service(KEY).scheduler != name
        table.edit_service(VirtualService(KEY, name))
        return SCHEDULERS[name](model) if changed else model
    if what == "server" and name in model.weights:
        table.edit_server(KEY, server(name, weight))
        model.edit(name, weight)
    elif what == "server":
        table.add_server(KEY, server(name, weight))
        model.add(name, weight)
    elif name in model.weights:
        table.delete_server(KEY, server(name, 0).address, 80)
        model.delete(name)
    return model


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheduler=st.sampled_from(("rr", "wrr")), changes=commands, hook=st.sampled_from(Hook))
def test_any_changes(
    rig: Rig, scheduler: str, changes: list[tuple[list[tuple[str, str, int]], int]], hook: Hook
) -> None:
    fresh(rig, scheduler)
    model: Scheduler = SCHEDULERS[scheduler]()
    for batch, connections in changes:
        with rig.change() as table:
            for step in batch:
                model = apply(table, model, step)
        expected = [model.pick() for _ in range(connections)]
        assert [connect(rig, hook) for _ in range(connections)] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scheduler=st.sampled_from(("rr", "wrr")), given_weights=st.lists(st.integers(0, 20), min_size=1, max_size=7))
def test_long_sequences(rig: Rig, scheduler: str, given_weights: list[int]) -> None:
    """Also over the end of a whole round of weights."""
    servers = list(zip(NAMES, given_weights, strict=False))
    fresh(rig, scheduler, servers)
    model: Scheduler = SCHEDULERS[scheduler]()
    for name, weight in servers:
        model.add(name, weight)
    expected = [model.pick() for _ in range(sum(given_weights) + 10)]
    assert [connect(rig) for _ in expected] == expected
