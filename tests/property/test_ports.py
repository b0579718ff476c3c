# SPDX-License-Identifier: GPL-2.0-or-later
"""ports.h: whatever a book of ports holds, connections take its free ports in turn, each only one of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Method
from tests.packets import books
from tests.packets.frames import CLIENT, Flow, Path, Shape, alone, localised
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

PATH = Path(CLIENT, "10.0.0.151", 80, "10.2.0.15", 8080, method=Method.FULLNAT)

# next to words' and groups' ends as well as anywhere
edges = st.builds(
    lambda word, step: word * 64 + step, st.sampled_from((16, 17, 63, 64, 127, 128, 1022, 1023)), st.integers(0, 63)
)
ports = edges | st.integers(books.PORTS[0], books.PORTS[-1])


class Model:
    """A book as plainly as possible: the first free port from the turn on, in a circle."""

    def __init__(self, free: set[int], turn: int) -> None:
        self.free = set(free)
        self.turn = turn

    def take(self) -> int | None:
        start = books.PORTS[self.turn % len(books.PORTS)]
        self.turn += 1
        if not self.free:
            return None
        port = min(self.free, key=lambda one: (one - start) % 65536)
        self.free.remove(port)
        return port


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    free=st.sets(ports, max_size=8),
    run=st.tuples(ports, st.integers(0, 130)),
    turn=st.integers(0, 2**32 - 20),
    steps=st.lists(st.tuples(st.sampled_from(Hook), st.integers(0, 11)), max_size=12),
)
def test_any_book(rig: Rig, free: set[int], run: tuple[int, int], turn: int, steps: list[tuple[Hook, int]]) -> None:
    """Steps open a new connection, or close one that is open and open it anew: its port is free again then."""
    path = alone(rig, books.local_of_its_own(rig, PATH))
    free |= {port for port in range(run[0], sum(run)) if port in books.PORTS}
    books.fill(path, free, turn=turn)
    model, flows = Model(free, turn), list[Flow]()
    for hook, which in steps:
        flow = flows.pop(which) if which < len(flows) else Flow(path, rig.port())
        if flow.local_port:
            rig.run_uncounted(hook, flow.reply(Shape(flags="RA")), "back")
            model.free.add(flow.local_port)
        action, left = rig.run_uncounted(hook, flow.request(Shape()))
        expected = model.take()
        assert (action is Action.REDIRECT) == (expected is not None)
        if expected is not None:
            flows.append(localised(flow, left))
            assert flows[-1].local_port == expected
    assert len({flow.local_port for flow in flows}) == len(flows)
    book = books.read(path)
    assert book.is_consistent
    assert set(range(65536)) - book.taken == model.free
