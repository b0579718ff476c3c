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
from tests.property.ipvs_model import ACTIVE, GOLDEN, SECURE_TABLE, TABLE, TIMEOUTS, Conversation

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.110", 80, "10.2.0.11", 8080)
TCP6 = Path(CLIENT6, "fd00::110", 80, "fd02::11", 8080)
Step = tuple[str, str, str, int]  # sender, flags, state and seconds left after it


def recorded(heading: str) -> list[tuple[list[Step], tuple[int, int]]]:
    """The conversations below a heading, each with the server's counts after it."""
    text = (GOLDEN / "tcp_walks.out").read_text().partition(f"# {heading}")[2].partition("\n#")[0]
    walks = []
    for line in text.splitlines()[1:]:
        steps = re.findall(r"([cs])(\w+)->(\w+)(?:/(\d+))?", line)
        active, inactive = map(int, re.findall(r"\w+=(\d+)", line))
        walks.append(([(*step[:3], int(step[3] or 0)) for step in steps], (active, inactive)))
    return walks


RECORDED = {
    "NAT, normal table": (Method.NAT, {}),
    "NAT, secure_tcp=3": (Method.NAT, {"secure_tcp": 3}),
    "DR (input only), normal table": (Method.ROUTE, {}),
    "DR, secure_tcp=3": (Method.ROUTE, {"secure_tcp": 3}),
    "sloppy_tcp=1 (NAT)": (Method.NAT, {"sloppy_tcp": 1}),
}
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


@pytest.mark.parametrize("heading", RECORDED)
def test_model_is_true_to_the_recording(heading: str) -> None:
    method, vs = RECORDED[heading]
    assert recorded(heading)
    for steps, _ in recorded(heading):
        talk = Conversation(method is Method.ROUTE, **vs)
        for sender, flags, state, left in steps:
            assert (talk.hear(sender, flags) or "none") == state, steps
            assert state == "none" or TIMEOUTS[state] - left in (0, 1)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("heading", RECORDED)
def test_recorded_conversations(rig: Rig, hook: Hook, path: Path, heading: str) -> None:
    """Line by line as recorded: states, seconds left, and the server's counts after all lines so far."""
    method, vs = RECORDED[heading]
    before = (0, 0)
    if heading == "DR, secure_tcp=3":  # on the server of the walks before it
        before = recorded("DR (input only), normal table")[-1][1]
    path = alone(rig, replace(path, method=method))
    with rig.sysctls(**vs):
        for steps, after in recorded(heading):
            flow = Flow(path, rig.port())
            for sender, flags, expected, left in steps:
                send(rig, hook, flow, sender, flags)
                state, expires = state_of(flow)
                assert (state or "none") == expected, steps
                assert left - 1 <= expires <= left + 1, steps
            active, inactive = counts(path)
            assert (before[0] + active, before[1] + inactive) == after, steps


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from((Method.NAT, Method.ROUTE)),
    vs=st.fixed_dictionaries(
        {
            "secure_tcp": st.sampled_from((0, 0, 1, 3)),
            "sloppy_tcp": st.sampled_from((0, 0, 1)),
            "conn_reuse_mode": st.sampled_from((1, 1, 0, 2, 3)),
        }
    ),
    opening=st.sampled_from(([("c", "S")], [])),
    talk=st.lists(words, max_size=13),
    hooks=st.lists(st.sampled_from(Hook), min_size=14, max_size=14),
)
def test_any_conversation(
    rig: Rig,
    method: Method,
    vs: dict[str, int],
    opening: list[tuple[str, str]],
    talk: list[tuple[str, str]],
    hooks: list[Hook],
) -> None:
    """Also when XDP and TC take turns. Of DR the client's segments alone decide until the first reply."""
    path = alone(rig, replace(TCP4, method=method))
    flow, model = Flow(path, rig.port()), Conversation(method is Method.ROUTE, **vs)
    with rig.sysctls(**vs):
        for hook, (sender, flags) in zip(hooks, opening + talk, strict=False):
            send(rig, hook, flow, sender, flags)
            state = model.hear(sender, flags)
            shown, expires = state_of(flow)
            assert shown == state
            assert state is None or TIMEOUTS[state] - 1 <= expires <= TIMEOUTS[state]
            assert counts(path) == (int(state in ACTIVE), int(state is not None and state not in ACTIVE))


def test_tables_are_whole() -> None:
    assert len(TABLE) == len(SECURE_TABLE) == 3 * 5 * 11
