# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpvs.director.slots import _FILLERS as FILLERS
from bpvs.kernel._abi import HASH_SLOTS, MAGLEV_SLOTS, SLOT_EMPTY
from bpvs.model import Address, Family, Method, RealServer
from tests.property.recordings import Block, blocks
from tests.property.scheduler_hash_model import PRIME, Hashing, golden, siphash13, word
from tests.property.scheduler_model import Service
from tests.property.schedulers import SCHEDULERS

SIZES = {"sh": HASH_SLOTS, "dh": HASH_SLOTS, "mh": MAGLEV_SLOTS}

addresses = st.one_of(
    st.binary(min_size=4, max_size=4).map(lambda packed: Address(Family.IPV4, packed)),
    st.binary(min_size=16, max_size=16).map(lambda packed: Address(Family.IPV6, packed)),
)
weights = st.one_of(st.integers(0, 20), st.sampled_from((0, 65535, 2**31 - 1, 2**30)))
# address, port, weight that the server was added with, weight afterwards
additions = st.lists(
    st.tuples(addresses, st.integers(0, 65535), weights, weights), max_size=20, unique_by=lambda one: one[:2]
)


def server(address: Address, port: int, weight: int) -> RealServer:
    return RealServer(address, port, Method.NAT, weight)


@pytest.mark.parametrize("scheduler", SIZES)
@settings(deadline=None)  # the model takes its time
@given(added=additions)
def test_tables_are_those_of_the_model(scheduler: str, added: list[tuple[Address, int, int, int]]) -> None:
    model = Service.begin(SCHEDULERS[scheduler], {str(at): one[:2] for at, one in enumerate(added)})
    for at, (_, _, weight, _) in enumerate(added):
        model.add(str(at), weight)
    for at, (_, _, _, weight) in enumerate(added):
        model.edit(str(at), weight)
    servers = [server(one.address, one.port, one.weight) for one in model.servers]
    slots = FILLERS[scheduler](servers, [one.kept for one in model.servers])
    assert len(slots) == SIZES[scheduler]
    assert isinstance(model.scheduler, Hashing)
    expected = [model.servers.index(one) for one in model.scheduler.table]
    assert list(slots) == (expected or [SLOT_EMPTY] * SIZES[scheduler])


RECORDED = [one for one in blocks("scheduler_hashes.out") if one.scheduler in ("sh", "mh") and not one.flags]


@pytest.mark.parametrize("block", RECORDED, ids=str)
def test_clients_find_the_servers_that_were_recorded(block: Block) -> None:
    weights_now = (1, 1, 0) if "edited to 0" in block.title else block.weights
    servers = [server(Address.parse(f"10.0.1.1{number}"), 80, weights_now[number - 1]) for number in (3, 2, 1)]
    slots = FILLERS[block.scheduler](servers, block.weights[::-1])
    names = []
    for number in range(2, 34):
        client = word(Address.parse(f"10.9.0.{number}"))
        slot = golden(client, 8) if block.scheduler == "sh" else siphash13(2654435761, client) % PRIME
        chosen = servers[slots[slot]]
        names.append(f"rs{chosen.address.packed[3] - 10}" if chosen.weight else None)
    assert tuple(names) == block.picks[0]


def test_maglev_keeps_most_clients_when_a_server_goes() -> None:
    servers = [server(Address.parse(f"10.0.1.{number}"), 80, 1) for number in range(1, 11)]
    before = FILLERS["mh"](servers, [1] * 10)
    after = FILLERS["mh"](servers[1:], [1] * 9)
    moved = sum(old != 0 and old != new + 1 for old, new in zip(before, after, strict=True))
    assert moved < MAGLEV_SLOTS // 10
    assert all(count in (454, 455) for count in Counter(after).values())


def test_more_servers_than_slots() -> None:
    servers = [server(Address(Family.IPV4, number.to_bytes(4)), 80, 1) for number in range(5000)]
    assert sorted(FILLERS["mh"](servers, [1] * 5000)) == list(range(MAGLEV_SLOTS))
    assert list(FILLERS["sh"](servers, [1] * 5000)) == list(range(HASH_SLOTS))
