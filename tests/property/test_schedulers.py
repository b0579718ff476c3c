# SPDX-License-Identifier: GPL-2.0-or-later
"""schedule.h, choose.h, sched/rr.h, sched/wrr.h, sched/lc.h, sched/wlc.h, sched/sed.h, sched/nq.h, sched/fo.h,
sched/ovf.h, sched/sh.h, sched/dh.h, sched/mh.h: connections through the real programs go where the kernel's IPVS sent
them when it was recorded.
"""

from __future__ import annotations

import pytest

from bpvs.model import Address
from tests.packets.rig import Hook, Rig
from tests.property.recordings import Block, blocks
from tests.property.scheduler_model import Packet
from tests.property.scheduling import RECORDED, Trial

pytestmark = pytest.mark.root

NAMES = ("rs1", "rs2", "rs3")
RECORDED_VIRTUAL = Address.parse("10.9.0.100")


def trial(rig: Rig, hook: Hook, block: Block) -> Trial:
    made = Trial(rig, block.scheduler, block.flags, hook, virtual=RECORDED_VIRTUAL, addresses=RECORDED)
    for name, weight in zip(NAMES, block.weights, strict=True):
        made.change(("server", name, weight))
    return made


def client(rig: Rig) -> Packet:
    return Packet(Address.parse("10.9.0.2"), rig.port(), RECORDED_VIRTUAL)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", blocks("scheduler_held.out"), ids=str)
def test_connections_that_stay(rig: Rig, hook: Hook, block: Block) -> None:
    made = trial(rig, hook, block)
    assert tuple(made.connect(client(rig)) for _ in range(12)) == block.picks[0]
    assert made.counts() == block.counts


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", blocks("scheduler_closed.out"), ids=str)
def test_connections_that_end_one_by_one(rig: Rig, hook: Hook, block: Block) -> None:
    made = trial(rig, hook, block)
    for recorded in block.picks[0]:
        chosen = made.connect(client(rig))
        assert chosen is not None
        assert chosen == recorded
        made.close(chosen)
    assert made.counts() == block.counts


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", blocks("scheduler_changes.out"), ids=str)
def test_changes_on_the_way(rig: Rig, hook: Hook, block: Block) -> None:
    first, second, third, fourth = block.picks
    made = trial(rig, hook, Block(f"scheduler={block.title.split()[0]} weights 1 2 3", (), ()))
    assert tuple(made.connect(client(rig)) for _ in range(4)) == first
    made.change(("server", "rs2", 0))
    assert tuple(made.connect(client(rig)) for _ in range(4)) == second
    made.change(("delete", "rs3", 0))
    assert tuple(made.connect(client(rig)) for _ in range(4)) == third
    made.change(("server", "rs3", 3))
    assert tuple(made.connect(client(rig)) for _ in range(4)) == fourth


def ports_are_known(block: Block) -> bool:
    return "fwmark" not in block.title and block.flags != {"sh-fallback", "sh-port"}


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("block", [one for one in blocks("scheduler_hashes.out") if ports_are_known(one)], ids=str)
def test_hashes_of_clients(rig: Rig, hook: Hook, block: Block) -> None:
    made = trial(rig, hook, block)
    if "edited to 0" in block.title:
        made.change(("server", "rs3", 0))
    by_port = any(flag.endswith("-port") for flag in block.flags)
    ends = [(2, 40000 + number) if by_port else (2 + number, 40000) for number in range(32)]
    packets = [Packet(Address.parse(f"10.9.0.{last}"), port, RECORDED_VIRTUAL) for last, port in ends]
    assert tuple(made.connect(packet) for packet in packets) == block.picks[0]
