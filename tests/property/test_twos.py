# SPDX-License-Identifier: GPL-2.0-or-later
"""sched/twos.h: among many connections each server gets the share that its weight and load give it."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import pytest

from bpvs.model import Address
from tests.packets.rig import Hook, Rig
from tests.property.scheduler_load_model import power_of_twos
from tests.property.scheduler_model import Packet
from tests.property.scheduling import NAMES, VIRTUAL, Trial

pytestmark = pytest.mark.root

CONNECTIONS = 500
HUGE = 2**31 - 1
# of each server weight and active connections, so many that those of the test do not count
TABLES = {
    "equal": [(1, 0), (1, 0), (1, 0)],
    "by weight": [(1, 100_000), (2, 200_000), (5, 500_000)],
    "by load": [(3, 400_000), (3, 100_000), (3, 200_000), (3, 300_000)],
    "weights and loads": [(1, 300_000), (7, 100_000), (2, 900_000), (4, 100_000)],
    "weight 0 gets none": [(0, 0), (2, 100_000), (3, 900_000)],
    "weights whose sum takes more than 32 bits": [(HUGE, 100_000), (HUGE, 200_000), (HUGE, 300_000)],
}


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_shares(rig: Rig, hook: Hook, table: list[tuple[int, int]]) -> None:
    trial = Trial(rig, "twos", hook=hook)
    trial.change(*(("server", name, weight) for name, (weight, _) in zip(NAMES, table, strict=False)))
    for name, (_, active) in zip(NAMES, table, strict=False):
        trial.load(name, active, 0)
    got = [trial.connect(Packet(Address.parse("10.9.0.2"), rig.port(), VIRTUAL)) for _ in range(CONNECTIONS)]
    shares = power_of_twos(trial.model.servers)
    if table is TABLES["equal"]:  # the loads follow the connections, and level out
        shares = dict.fromkeys(shares, Fraction(1, len(shares)))
    assert {*got} <= {*shares}
    for name, share in shares.items():
        expected = float(share) * CONNECTIONS
        assert abs(got.count(name) - expected) <= 6 * sqrt(expected) + 1


@pytest.mark.parametrize("hook", Hook)
def test_overloaded_servers_are_not_drawn(rig: Rig, hook: Hook) -> None:
    trial = Trial(rig, "twos", hook=hook)
    trial.change(("server", "rs1", 5), ("server", "rs2", 1))
    trial.overload("rs1", is_overloaded=True)
    packets = [Packet(Address.parse("10.9.0.2"), rig.port(), VIRTUAL) for _ in range(100)]
    assert {trial.connect(packet) for packet in packets} == {"rs2"}
    trial.overload("rs2", is_overloaded=True)
    assert trial.connect(Packet(Address.parse("10.9.0.2"), rig.port(), VIRTUAL)) is None
