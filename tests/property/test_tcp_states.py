# SPDX-License-Identifier: GPL-2.0-or-later
"""tcp_state.h: conversations through the real program leave the states, timeouts and counts that IPVS has."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Method
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone
from tests.packets.listing import connection_of, counts
from tests.packets.rig import Hook, Rig
from tests.property.ipvs_model import ACTIVE, GOLDEN, TABLE, TIMEOUTS, next_state

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.110", 80, "10.2.0.11", 8080)
TCP6 = Path(CLIENT6, "fd00::110", 80, "fd02::11", 8080)
WALKS = (GOLDEN / "tcp_walks_nat.out").read_text().splitlines()[1:]

words = st.tuples(
    st.sampled_from("cs"), st.sampled_from(("S", "SA", "A", "PA", "F", "FA", "R", "RA", "", "P", "SF", "SR"))
)


def send(rig: Rig, hook: Hook, flow: Flow, sender: str, flags: str) -> None:
    if sender == "c":
        rig.run_uncounted(hook, flow.request(Shape(flags=flags)))
    else:
        rig.run_uncounted(hook, flow.reply(Shape(flags=flags)), "back")


def state_of(flow: Flow) -> tuple[str | None, float]:
    """State and seconds left."""
    one = connection_of(flow)
    return (one.state, one.expires) if one else (None, 0)


@pytest.mark.parametrize("walk", WALKS)
def test_model_is_true_to_the_recording(walk: str) -> None:
    state: str | None = None
    for sender, flags, recorded, left in re.findall(r"([cs])(\w+)->(\w+)/(\d+)", walk):
        state = next_state(state, sender, flags)
        assert state == recorded
        assert TIMEOUTS[recorded] - int(left) in (0, 1)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_recorded_conversations(rig: Rig, hook: Hook, path: Path) -> None:
    """Line by line as recorded: states, seconds left, and the server's counts after all lines so far."""
    path = alone(rig, path)
    for walk in WALKS:
        flow = Flow(path, rig.port())
        for sender, flags, recorded, left in re.findall(r"([cs])(\w+)->(\w+)/(\d+)", walk):
            send(rig, hook, flow, sender, flags)
            state, expires = state_of(flow)
            assert state == recorded, walk
            assert int(left) - 1 <= expires <= int(left) + 1, walk
        active, inactive = map(int, re.findall(r"\w+=(\d+)", walk))
        assert counts(path) == (active, inactive), walk


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from((Method.NAT, Method.ROUTE)),
    conversation=st.lists(words, max_size=12),
    hooks=st.lists(st.sampled_from(Hook), min_size=13, max_size=13),
)
def test_any_conversation(rig: Rig, method: Method, conversation: list[tuple[str, str]], hooks: list[Hook]) -> None:
    """Also when XDP and TC take turns. Of DR the client's segments alone decide until the first reply."""
    path = alone(rig, replace(TCP4, method=method))
    flow, state, is_alone = Flow(path, rig.port()), None, method is Method.ROUTE
    for hook, (sender, flags) in zip(hooks, [("c", "S"), *conversation], strict=False):
        send(rig, hook, flow, sender, flags)
        is_new = sender == "c" and "S" in flags and "R" not in flags and state in ("TIME_WAIT", "CLOSE")
        is_alone = sender == "c" and (is_alone or (is_new and method is Method.ROUTE))
        state = next_state(state, "a" if is_alone else sender, flags)
        shown, expires = state_of(flow)
        assert shown == state
        assert state is not None
        assert TIMEOUTS[state] - 1 <= expires <= TIMEOUTS[state]
    assert counts(path) == ((1, 0) if state in ACTIVE else (0, 1))


def test_table_is_whole() -> None:
    assert len(TABLE) == 3 * 5 * 11
