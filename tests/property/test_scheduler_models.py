# SPDX-License-Identifier: GPL-2.0-or-later
"""The models of the schedulers choose what the kernel's chose when it was recorded."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bpvs.model import Address
from tests.property.recordings import Block, blocks
from tests.property.scheduler_model import Packet, Service
from tests.property.schedulers import SCHEDULERS

NAMES = ("rs1", "rs2", "rs3")
VIRTUAL = Address.parse("10.9.0.100")
CLIENT = Packet(Address.parse("10.9.0.2"), 40000, VIRTUAL)
HASHES = blocks("scheduler_hashes.out")


def service(block: Block, port: int = 80) -> Service:
    addresses = {name: (Address.parse(f"10.0.1.1{name[2]}"), port) for name in NAMES}
    model = Service.begin(SCHEDULERS[block.scheduler], addresses, block.flags)
    for name, weight in zip(NAMES, block.weights, strict=True):
        model.add(name, weight)
    return model


def counts(model: Service) -> tuple[tuple[int, int], ...]:
    return tuple((server.active, server.inactive) for server in reversed(model.servers))


def picks(model: Service, packets: Iterable[Packet]) -> tuple[str | None, ...]:
    return tuple(model.connect(packet) for packet in packets)


@pytest.mark.parametrize("block", blocks("scheduler_held.out"), ids=str)
def test_connections_that_stay(block: Block) -> None:
    model = service(block)
    assert picks(model, [CLIENT] * 12) == block.picks[0]
    assert counts(model) == block.counts


@pytest.mark.parametrize("block", blocks("scheduler_closed.out"), ids=str)
def test_connections_that_end_one_by_one(block: Block) -> None:
    model = service(block)
    for recorded in block.picks[0]:
        chosen = model.connect(CLIENT)
        assert chosen is not None
        assert chosen == recorded
        model.close(chosen)
    assert counts(model) == block.counts


@pytest.mark.parametrize("block", blocks("scheduler_changes.out"), ids=str)
def test_changes_on_the_way(block: Block) -> None:
    first, second, third, fourth = block.picks
    model = service(Block(f"scheduler={block.title.split()[0]} weights 1 2 3", (), ()))
    assert picks(model, [CLIENT] * 4) == first
    model.edit("rs2", 0)
    assert picks(model, [CLIENT] * 4) == second
    model.delete("rs3")
    assert picks(model, [CLIENT] * 4) == third
    model.add("rs3", 3)
    assert picks(model, [CLIENT] * 4) == fourth


def hash_clients(block: Block) -> list[Packet]:
    """The clients of a recording of sh, mh or dh on one address."""
    if any(flag.endswith("-port") for flag in block.flags):
        return [Packet(Address.parse("10.9.0.2"), 40000 + number, VIRTUAL) for number in range(32)]
    return [Packet(Address.parse(f"10.9.0.{2 + number}"), 40000, VIRTUAL) for number in range(32)]


@pytest.mark.parametrize("block", [one for one in HASHES if "fwmark" not in one.title], ids=str)
def test_hashes_of_clients(block: Block) -> None:
    model = service(block)
    if "edited to 0" in block.title:
        model.edit("rs3", 0)
    chosen = picks(model, hash_clients(block))
    if block.flags == {"sh-fallback", "sh-port"}:  # recorded with ports that are not known
        assert {*chosen} == {*block.picks[0]} == {"rs1", "rs2"}
    else:
        assert chosen == block.picks[0]


def test_hashes_of_virtual_addresses() -> None:
    """The servers come back from the scheduler before with its connections, which are over by then."""
    before = [(0, 0)] * 3
    for block in HASHES[-3:]:
        model = service(block, port=0)
        for server, (active, inactive) in zip(reversed(model.servers), before, strict=True):
            server.inactive = active + inactive
        clients = [CLIENT._replace(destination=Address.parse(f"10.9.0.{number}")) for number in range(101, 133)]
        assert (picks(model, clients), picks(model, clients[:16])) == block.picks
        before = list(counts(model))
        assert [active + inactive for active, inactive in before] == [inactive for _, inactive in block.counts]
