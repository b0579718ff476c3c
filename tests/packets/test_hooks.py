# SPDX-License-Identifier: GPL-2.0-or-later
"""hook_xdp.h and hook_tc.h: both hooks make the same bytes and the same connection of the same packet, in any turns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference, rebuilt
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.107", 80, "10.2.0.14", 8080)
TCP6 = Path(CLIENT6, "fd00::107", 80, "fd02::14", 8080)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
UDP6 = replace(TCP6, protocol=Protocol.UDP)
PATHS = (TCP4, TCP6, UDP4, UDP6)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    payload=st.binary(max_size=64),
    flags=st.sampled_from(("S", "A", "PA", "FA", "SA")),
    ttl=st.integers(2, 255),
    is_reply=st.booleans(),
    opener=st.sampled_from(Hook),
)
def test_same_bytes_from_both(
    rig: Rig, path: Path, payload: bytes, flags: str, ttl: int, is_reply: bool, opener: Hook
) -> None:
    """And they are right: the checksums are those of the new packet, computed anew."""
    flow, shape = Flow(path, rig.port()), Shape(flags=flags, payload=payload, ttl=ttl)
    assert rig.run_uncounted(opener, flow.request(Shape()))[0] is Action.REDIRECT
    arrives, link = (flow.reply(shape), "back") if is_reply else (flow.request(shape), "front")
    leaves = {rig.run_uncounted(hook, arrives, link) for hook in Hook}
    assert leaves == {(Action.REDIRECT, flow.to_client(shape) if is_reply else flow.to_server(shape))}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), port=st.integers(1024, 65535), payload=st.binary(min_size=2, max_size=3))
def test_recomputed_checksums_are_those_that_left(rig: Rig, path: Path, port: int, payload: bytes) -> None:
    flow = Flow(path, port)
    for hook in Hook:
        frame = rig.run_uncounted(hook, flow.request(Shape(payload=payload)))[1]
        assert not difference(frame, rebuilt(frame))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", PATHS, ids=["tcp4", "tcp6", "udp4", "udp6"])
def test_wrong_transport_checksum_stays_wrong_by_as_much(rig: Rig, hook: Hook, path: Path) -> None:
    """The director repairs nothing: whoever receives the packet shall see that it was damaged."""
    flow = Flow(path, rig.port())
    at = 14 + (40 if path.is_ipv6 else 20) + (6 if path.protocol is Protocol.UDP else 16)
    shape = Shape(payload=b"damaged")
    run = rig.run(hook, off_by_one(flow.request(shape), at))
    assert not difference(run.frame, off_by_one(flow.to_server(shape), at))


@pytest.mark.parametrize("hook", Hook)
def test_wrong_ipv4_header_checksum_stays_wrong_by_as_much(rig: Rig, hook: Hook) -> None:
    flow = Flow(TCP4, rig.port())
    run = rig.run(hook, off_by_one(flow.request(Shape()), 24))
    assert not difference(run.frame, off_by_one(flow.to_server(Shape()), 24))


def off_by_one(content: bytes, at: int) -> bytes:
    word = (int.from_bytes(content[at : at + 2], "big") + 1) % 0xFFFF
    return content[:at] + word.to_bytes(2, "big") + content[at + 2 :]


@pytest.mark.parametrize("path", PATHS, ids=["tcp4", "tcp6", "udp4", "udp6"])
def test_xdp_leaves_replies_to_local_clients_to_tc(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    rig.run(Hook.TC, flow.request(Shape()), "lo")
    reply = flow.reply(Shape(flags="SA"))
    early = rig.run(Hook.XDP, reply, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, reply)
    late = rig.run(Hook.TC, reply, "back")
    assert (late.action, late.verdicts) == (Action.REDIRECT, {})
    assert not difference(late.frame, flow.to_client(Shape(flags="SA")))
