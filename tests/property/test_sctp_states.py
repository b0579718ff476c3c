# SPDX-License-Identifier: GPL-2.0-or-later
"""sctp_state.h: associations through the real program leave the states, timeouts and counts that IPVS has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.kernel import _abi
from bpvs.model import Method, Protocol
from tests.packets.chunks import TYPES, chunk, numbered
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone
from tests.packets.listing import connection_of, counts, row_of, state_of
from tests.packets.rig import Action, Hook, Rig, loaded
from tests.property.sctp_model import STATES, TABLE, TIMEOUTS, Association

pytestmark = pytest.mark.root

NAT4 = Path(CLIENT, "10.0.0.130", 3868, "10.2.0.11", 3869, Protocol.SCTP)
NAT6 = Path(CLIENT6, "fd00::130", 3868, "fd02::11", 3869, Protocol.SCTP)
ROUTE4 = replace(NAT4, server_port=3868, method=Method.ROUTE)
ROUTE6 = replace(NAT6, server_port=3868, method=Method.ROUTE)
EVENTS = (
    *("DATA", "INIT", "INIT_ACK", "COOKIE_ECHO", "COOKIE_ACK"),
    *("SHUTDOWN", "SHUTDOWN_ACK", "SHUTDOWN_COMPLETE", "ERROR", "ABORT"),
)
HOOKS = pytest.mark.parametrize("hook", Hook)

# a client's word: what it sends and the state after it; a server's likewise
OPENING = ("c INIT INIT1", "s INIT_ACK C-SENT", "c COOKIE_ECHO C-REPLIED", "s COOKIE_ACK ESTABLISHED")
CLOSING = ("c SHUTDOWN S-RECEIVED", "s SHUTDOWN_ACK S-ACK-SENT", "c SHUTDOWN_COMPLETE CLOSED")
WALKS = {
    "association": (*OPENING, "c DATA ESTABLISHED", "s SACK ESTABLISHED", *CLOSING),
    "closed by the server": (*OPENING, "s SHUTDOWN S-SENT", "c SHUTDOWN_ACK CLOSED", "s SHUTDOWN_COMPLETE CLOSED"),
    "repeated INIT": ("c INIT INIT1", "c INIT INIT", "c INIT INIT"),
    "nobody listens": ("c INIT INIT1", "s ABORT REJECTED", "c INIT INIT"),
    "aborted": (*OPENING, "c ABORT CLOSED"),
    "again after the end": (*OPENING, *CLOSING, "c INIT INIT1"),
    "the server asks": (
        *("c INIT INIT1", "s INIT C-WAIT", "c INIT_ACK COOKIE", "s COOKIE_ECHO C-ECHOED", "c COOKIE_ACK ESTABLISHED"),
    ),
}
ONE_WAY = {
    "association": (
        *("c INIT INIT1", "c COOKIE_ECHO ESTABLISHED", "c DATA ESTABLISHED"),
        *("c SHUTDOWN S-RECEIVED", "c SHUTDOWN_COMPLETE CLOSED"),
    ),
    "repeated INIT": ("c INIT INIT1", "c INIT INIT"),
    "a reply comes by": ("c INIT INIT1", "s INIT_ACK C-SENT", "c COOKIE_ECHO C-REPLIED"),
}


def send(rig: Rig, hook: Hook, flow: Flow, sender: str, *names: str) -> Action:
    shape = Shape(payload=b"".join(chunk(name, bytes(10)) for name in names))
    if sender == "s":
        return rig.run_uncounted(hook, flow.reply(shape), "back")[0]
    return rig.run_uncounted(hook, flow.request(shape))[0]


@pytest.mark.parametrize("walks", [WALKS, ONE_WAY], ids=["NAT", "DR"])
def test_the_model_walks_as_recorded(walks: dict[str, tuple[str, ...]]) -> None:
    for walk in walks.values():
        talk = Association(walks is ONE_WAY)
        for step in walk:
            sender, name, after = step.split()
            assert talk.hear(sender, name) == after, (walk, step)


@HOOKS
@pytest.mark.parametrize(
    ("path", "walk"),
    [
        *(pytest.param(path, walk, id=f"{name}, NAT") for path in (NAT4, NAT6) for name, walk in WALKS.items()),
        *(pytest.param(path, walk, id=f"{name}, DR") for path in (ROUTE4, ROUTE6) for name, walk in ONE_WAY.items()),
    ],
)
def test_walk(rig: Rig, hook: Hook, path: Path, walk: tuple[str, ...]) -> None:
    """States, seconds left, and counts: active in ESTABLISHED alone."""
    path = alone(rig, path)
    flow = Flow(path, rig.port())
    for step in walk:
        sender, name, after = step.split()
        assert send(rig, hook, flow, sender, name) is Action.REDIRECT
        one = connection_of(flow)
        assert one is not None
        assert one.state == after, step
        assert TIMEOUTS[after] - 1 <= one.expires <= TIMEOUTS[after]
        assert counts(path) == ((1, 0) if after == "ESTABLISHED" else (0, 1))


def put_into(flow: Flow, state: str) -> None:
    """Write the state into the row of a connection that is in INIT1, and move the server's counts with it."""
    instance = loaded()
    row = row_of(flow)
    counted = _abi.CONN_INACTIVE
    if state == "ESTABLISHED":
        dest = instance.conns.load(row, "dest")
        counted = _abi.CONN_ACTIVE
        instance.dests.store(dest, "active", instance.dests.load(dest, "active") + 1)
        instance.dests.store(dest, "inactive", instance.dests.load(dest, "inactive") - 1)
    number = {name: value for value, name in _abi.CONN_STATE_NAMES.items()}[f"STATE_SCTP_{state.replace('-', '_')}"]
    kept = instance.conns.load(row, "state") & ~(_abi.CONN_STATE | _abi.CONN_ACTIVE | _abi.CONN_INACTIVE)
    instance.conns.store(row, "state", kept | counted | number)


@pytest.mark.parametrize("sender", ["client", "server", "alone"])
@pytest.mark.parametrize("happens", EVENTS)
def test_every_cell_of_the_table(rig: Rig, happens: str, sender: str) -> None:
    """The connection is put into each state, counted rightly; then a packet comes."""
    for state in STATES.values():
        path = alone(rig, ROUTE4 if sender == "alone" else NAT4)
        flow = Flow(path, rig.port())
        send(rig, Hook.TC, flow, "c", "INIT")
        put_into(flow, state)
        with rig.sysctls(conn_reuse_mode=0):
            assert send(rig, Hook.TC, flow, sender[0], happens) is Action.REDIRECT
        expected = TABLE[sender, happens, state]
        assert state_of(flow) == expected, state
        assert counts(path) == ((1, 0) if expected == "ESTABLISHED" else (0, 1)), state


@HOOKS
@pytest.mark.parametrize("number", [*range(17), 63, 64, 128, 192, 193, 255])
def test_any_first_chunk(rig: Rig, hook: Hook, number: int) -> None:
    """Types that IPVS does not know count as DATA."""
    names = {value: name for name, value in TYPES.items()}
    rig.serve(NAT4.row)
    flow = Flow(NAT4, rig.port())
    for sender, name in (("c", "INIT"), ("s", "INIT_ACK")):
        send(rig, hook, flow, sender, name)
    rig.run_uncounted(hook, flow.request(Shape(payload=numbered(number))))
    talk = Association()
    for sender, name in (("c", "INIT"), ("s", "INIT_ACK"), ("c", names.get(number, "DATA"))):
        talk.hear(sender, name)
    assert state_of(flow) == talk.state


packets = st.tuples(st.sampled_from("cs"), st.sampled_from(tuple(TYPES)), st.sampled_from(("", *TYPES)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    opening=st.sampled_from(([("c", "INIT", "")], [])),
    talk=st.lists(packets, max_size=12),
    hooks=st.lists(st.sampled_from(Hook), min_size=13, max_size=13),
    path=st.sampled_from([NAT4, NAT6, ROUTE4, ROUTE6]),
    vs=st.fixed_dictionaries(
        {"conn_reuse_mode": st.sampled_from((1, 0, 2)), "sloppy_sctp": st.sampled_from((0, 0, 1))}
    ),
)
def test_any_association(
    rig: Rig,
    opening: list[tuple[str, str, str]],
    talk: list[tuple[str, str, str]],
    hooks: list[Hook],
    path: Path,
    vs: dict[str, int],
) -> None:
    """Also when XDP and TC take turns; of DR, one-way until a reply passes."""
    path = alone(rig, path)
    flow, model = Flow(path, rig.port()), Association(not path.is_translated, **vs)
    with rig.sysctls(**vs):
        for hook, (sender, first, second) in zip(hooks, opening + talk, strict=False):
            send(rig, hook, flow, sender, *filter(None, (first, second)))
            state = model.hear(sender, first, second)
            one = connection_of(flow)
            assert (one.state if one else None) == state
            assert one is None or state is None or TIMEOUTS[state] - 1 <= one.expires <= TIMEOUTS[state]
            assert counts(path) == (int(state == "ESTABLISHED"), int(state not in (None, "ESTABLISHED")))


def test_table_is_whole() -> None:
    assert len(TABLE) == 3 * 10 * 14
