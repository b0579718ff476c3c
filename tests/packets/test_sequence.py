# SPDX-License-Identifier: GPL-2.0-or-later
"""sequence.h, icmp.h: behind SYNPROXY client and server know different numbers of the server, and other windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrHopByHop

from bpvs.model import Method
from tests.packets import proxied
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import Flow, Path, Shape, difference, told
from tests.packets.proxied import LINUX, PATHS, Proxied
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
BOTH = pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
NUMBER = 1 << 32
NOP = ("NOP", None)
TIMES = ("Timestamp", (3, 4))


@pytest.fixture(autouse=True)
def _guarded(rig: Rig) -> None:
    proxied.guard(rig, *PATHS.values())


def connected(rig: Rig, hook: Hook, path: Path, **arguments: Any) -> Proxied:
    """A connection whose server has spoken, so that no option of the director's comes between."""
    made = proxied.established(rig, Hook.TC, path, **arguments)
    if path.method is Method.FULLNAT:
        return replace(made, flow=told(rig, hook, replace(made.flow, is_told=False)))
    return made


def shifted(shape: Shape, **changed: Any) -> Shape:
    return replace(shape, transport={**shape.transport, **changed})


def after_reply(made: Proxied, shape: Shape) -> Shape:
    """The server's segment as the client knows it."""
    return shifted(shape, seq=(shape.transport.get("seq", 0) + made.shift) % NUMBER)


def after_request(made: Proxied, shape: Shape) -> Shape:
    """The client's segment as the server knows it."""
    if "A" not in shape.flags:
        return shape
    listed = [
        (name, tuple((edge - made.shift) % NUMBER for edge in value) if name == "SAck" else value)
        for name, value in shape.transport.get("options", ())
    ]
    ack = (shape.transport.get("ack", 0) - made.shift) % NUMBER
    return shifted(shape, ack=ack, **({"options": listed} if listed else {}))


def sacks(blocks: int) -> tuple[str, tuple[int, ...]]:
    """Blocks whose edges lie on both sides of where the numbers begin again."""
    return "SAck", tuple((0xFFFFFF00 + 100 * edge) % NUMBER for edge in range(2 * blocks))


# name, segment
SEGMENTS = (
    ("ACK", Shape(flags="A")),
    ("data", Shape(flags="PA", payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("odd data", Shape(flags="PA", payload=b"odd")),
    ("FIN", Shape(flags="FA")),
    ("RST, ACK", Shape(flags="RA")),
    ("RST", Shape(flags="R")),
    ("ones", Shape(flags="A", transport={"seq": NUMBER - 1, "ack": NUMBER - 1}, payload=b"\xff\xff")),
    ("urgent", Shape(flags="UA", transport={"urgptr": 1}, payload=b"!")),
    ("time stamps", Shape(flags="A", transport={"options": [NOP, NOP, TIMES]})),
)
# name, options of a client's segment
BLOCKS = (
    ("one block", [NOP, NOP, sacks(1)]),
    ("two blocks", [NOP, NOP, sacks(2)]),
    ("three blocks behind time stamps", [NOP, NOP, TIMES, NOP, NOP, sacks(3)]),
    ("four blocks", [NOP, NOP, sacks(4)]),
    ("one block at an odd place", [NOP, sacks(1), NOP]),
    ("two blocks at an odd place", [NOP, sacks(2), NOP]),
    ("three blocks without padding before", [sacks(3), NOP, NOP]),
    ("one block behind three", [NOP, NOP, NOP, sacks(1)]),
    ("block behind the end", [("EOL", None)]),
)


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in SEGMENTS])
def test_both_directions(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    made = connected(rig, hook, path)
    replied = rig.run(hook, made.flow.reply(shape), "back")
    assert (replied.action, replied.verdicts) == (Action.REDIRECT, {})
    assert not difference(replied.frame, made.flow.to_client(after_reply(made, shape)))
    made = connected(rig, hook, path)
    asked = rig.run(hook, made.flow.request(shape))
    assert (asked.action, asked.verdicts) == (Action.REDIRECT, {})
    assert not difference(asked.frame, made.flow.to_server(after_request(made, shape)))


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("listed", [pytest.param(listed, id=name) for name, listed in BLOCKS])
def test_selective_acknowledgements(rig: Rig, hook: Hook, path: Path, listed: list[Any]) -> None:
    made = connected(rig, hook, path)
    for payload in (b"", b"odd"):
        shape = Shape(flags="A", transport={"ack": 7, "options": listed}, payload=payload)
        assert not difference(
            rig.run(hook, made.flow.request(shape)).frame, made.flow.to_server(after_request(made, shape))
        )


@HOOKS
@BOTH
def test_a_server_s_blocks_are_the_client_s_numbers(rig: Rig, hook: Hook, path: Path) -> None:
    made = connected(rig, hook, path)
    shape = Shape(flags="A", transport={"options": [NOP, NOP, sacks(2)]})
    assert not difference(
        rig.run(hook, made.flow.reply(shape), "back").frame, made.flow.to_client(after_reply(made, shape))
    )


@HOOKS
@BOTH
@pytest.mark.parametrize("size", [3, 9, 11, 17])
def test_odd_sizes_of_blocks(rig: Rig, hook: Hook, path: Path, size: int) -> None:
    """Whole edges within the option are translated, what lies behind stays."""
    made = connected(rig, hook, path)
    edges = bytes(range(1, size - 1))
    changed = b"".join(
        ((int.from_bytes(edges[at : at + 4], "big") - made.shift) % NUMBER).to_bytes(4, "big")
        for at in range(0, len(edges) - 3, 4)
    )
    before, after = ((5, content) for content in (edges, changed + edges[len(changed) :]))
    with_option = [
        Shape(flags="A", transport={"ack": ack, "options": [NOP, NOP]}, payload=b"")
        for ack in (9, (9 - made.shift) % NUMBER)
    ]
    arrives, leaves = (
        send(raw_option(shape, option))
        for send, shape, option in zip(
            (made.flow.request, made.flow.to_server), with_option, (before, after), strict=True
        )
    )
    assert not difference(rig.run(hook, arrives).frame, leaves)


def raw_option(shape: Shape, option: tuple[int, bytes]) -> Shape:
    """The segment with that option in bytes behind two NOPs; scapy counts them as payload, the header as options."""
    kind, content = option
    listed = bytes([1, 1, kind, len(content) + 2]) + content
    listed += bytes([1] * (-len(listed) % 4))
    return replace(shape, transport={**shape.transport, "options": [], "dataofs": 5 + len(listed) // 4}, payload=listed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(list(PATHS.values())),
    hook=st.sampled_from(Hook),
    server_isn=st.integers(0, NUMBER - 1),
    numbers=st.tuples(*[st.integers(0, NUMBER - 1)] * 4),
    payload=st.binary(max_size=40),
)
def test_any_numbers(
    rig: Rig, path: Path, hook: Hook, server_isn: int, numbers: tuple[int, int, int, int], payload: bytes
) -> None:
    made = connected(rig, hook, path, server_isn=server_isn)
    seq, ack, *edges = numbers
    reply = Shape(flags="A", transport={"seq": seq, "ack": ack}, payload=payload)
    assert not difference(
        rig.run(hook, made.flow.reply(reply), "back").frame, made.flow.to_client(after_reply(made, reply))
    )
    request = shifted(reply, options=[NOP, NOP, ("SAck", tuple(edges))])
    assert not difference(
        rig.run(hook, made.flow.request(request)).frame, made.flow.to_server(after_request(made, request))
    )


# scales of client and server; the window of each, and as the other reads it
WINDOWS = (
    ((7, 7), (500, 500), (502, 502)),
    ((7, 10), (500, 4000), (502, 502)),
    ((7, 14), (65535, 65535), (502, 502)),
    ((7, 14), (511, 511 << 7), (0, 0)),
    ((7, 14), (512, 65535), (65535, 65535)),
    ((7, 0), (65535, 511), (502, 502)),
    ((0, 4), (8, 1), (64240, 64240)),
    ((14, 6), (1, 0), (4, 4)),
    ((7, None), (65535, 511), (500, 64000)),
    ((7, None), (127, 0), (512, 65535)),
    ((14, None), (8192, 64), (3, 49152)),
    ((0, None), (8192, 64), (65535, 65535)),
    ((None, 7), (65535, 65535), (64240, 64240)),
    ((None, None), (0, 0), (1, 1)),
)


@HOOKS
@BOTH
@pytest.mark.parametrize(("scales", "of_server", "of_client"), WINDOWS)
def test_windows(
    rig: Rig,
    hook: Hook,
    path: Path,
    scales: tuple[int | None, int | None],
    of_server: tuple[int, int],
    of_client: tuple[int, int],
) -> None:
    made = connected(rig, hook, path, offer=replace(LINUX, scale=scales[0]), answer=replace(LINUX, scale=scales[1]))
    reply = Shape(flags="A", transport={"seq": 1, "window": of_server[0]})
    expected = shifted(after_reply(made, reply), window=of_server[1])
    assert not difference(rig.run(hook, made.flow.reply(reply), "back").frame, made.flow.to_client(expected))
    request = Shape(flags="A", transport={"ack": 1, "window": of_client[0]})
    expected = shifted(after_request(made, request), window=of_client[1])
    assert not difference(rig.run(hook, made.flow.request(request)).frame, made.flow.to_server(expected))


@HOOKS
@BOTH
def test_a_row_that_is_used_again_forgets_its_scale(small: Rig, hook: Hook, path: Path) -> None:
    """With as many connections as there are rows each is used twice."""
    with small.inside():
        proxied.guard(small, *PATHS.values())
        first = connected(small, hook, path, offer=replace(LINUX, scale=9), answer=replace(LINUX, scale=None))
        ended = Shape(flags="R", transport={"seq": 1})
        assert small.run(hook, first.flow.request(ended)).is_forwarded
        syn = first.flow.request(proxied.offering(LINUX))
        assert small.run(hook, syn).verdicts == {"ANSWER_COOKIE": 1}  # which frees the row
        second = connected(small, hook, path)
        request = Shape(flags="A", transport={"ack": 1, "window": 100})
        expected = after_request(second, request)
        assert not difference(small.run(hook, second.flow.request(request)).frame, second.flow.to_server(expected))


@HOOKS
@EVERY_PATH
def test_a_client_s_syn_on_a_connection(rig: Rig, hook: Hook, path: Path) -> None:
    """Its window is not scaled; the server's challenge comes back in the client's numbers."""
    made = connected(rig, hook, path, answer=replace(LINUX, scale=None))
    shape = Shape(transport={"seq": 4711, "window": 64240})
    assert not difference(rig.run(hook, made.flow.request(shape)).frame, made.flow.to_server(shape))


@HOOKS
@BOTH
def test_options_and_extensions_of_ip(rig: Rig, hook: Hook, path: Path) -> None:
    made = connected(rig, hook, path)
    dress: dict[str, Any] = {"extensions": IPv6ExtHdrHopByHop()}
    if not path.is_ipv6:
        dress = {"ip": {"options": [IPOption_NOP()] * 40}}
    reply = Shape(flags="A", transport={"seq": 3}, payload=b"odd", **dress)
    assert not difference(
        rig.run(hook, made.flow.reply(reply), "back").frame, made.flow.to_client(after_reply(made, reply))
    )
    request = Shape(flags="A", transport={"ack": 3, "options": [NOP, sacks(1), NOP]}, payload=b"odd", **dress)
    assert not difference(
        rig.run(hook, made.flow.request(request)).frame, made.flow.to_server(after_request(made, request))
    )


ERRORS4 = (
    ("port unreachable", Error(UNREACHABLE, LONG)),
    ("fragmentation needed", Error(ICMP(type=3, code=4, nexthopmtu=1400), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE, LONG, 28)),
    ("inner IP options", Error(UNREACHABLE, replace(LONG, ip={"options": b"\1" * 8}))),
)
ERRORS6 = (
    ("port unreachable", Error(UNREACHABLE6, LONG)),
    ("too big", Error(ICMPv6PacketTooBig(mtu=1280), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE6, LONG, 48)),
)


@HOOKS
@pytest.mark.parametrize(
    ("path", "error"),
    [
        pytest.param(path, error, id=f"{name}, {which}")
        for which, path in PATHS.items()
        for name, error in (ERRORS6 if path.is_ipv6 else ERRORS4)
    ],
)
def test_errors_tell_a_server_its_own_numbers(rig: Rig, hook: Hook, path: Path, error: Error) -> None:
    """The stack looks whether it sent what an error speaks of; the client's numbers are the same on both sides."""
    made = connected(rig, hook, path)
    flow: Flow = made.flow
    seen = replace(error, inner=shifted(LONG, seq=(5 + made.shift) % NUMBER))
    known = replace(error, inner=shifted(LONG, seq=5))
    arrives, leaves = seen.to_server(flow)[0], known.to_server(flow)[1]
    assert not difference(rig.run(hook, arrives).frame, leaves)
    about_request = replace(error, inner=shifted(LONG, seq=6))
    arrives, leaves = about_request.to_client(flow)
    assert not difference(rig.run(hook, arrives, "back").frame, leaves)
