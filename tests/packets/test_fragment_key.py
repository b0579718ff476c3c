# SPDX-License-Identifier: GPL-2.0-or-later
"""fragment.h: which fragments are of one datagram, for how long, and what they mean to its connection."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic_ns

import pytest

from bpvs.kernel import bpf
from bpvs.model import Address, Protocol
from tests.packets.datagrams import (
    FAMILIES,
    FIRST,
    LONG,
    PATHS,
    SECOND,
    TCP4,
    TCP6,
    forwards,
    in_fragments,
    serve,
    waits,
)
from tests.packets.frames import Flow, Path, Shape, alone, opened
from tests.packets.listing import state_of, traffic
from tests.packets.pieces import cut
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

KEPT_MS = 30_000  # of 2^20 ns
FRAGMENT = struct.Struct("=HHI8s")  # ports, until, the rest
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
EVERY_FAMILY = pytest.mark.parametrize("path", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    serve(rig)


@pytest.mark.parametrize(("hook", "other"), [(Hook.XDP, Hook.TC), (Hook.TC, Hook.XDP)])
@EVERY_FAMILY
def test_both_hooks_know_the_first_one(rig: Rig, hook: Hook, other: Hook, path: Path) -> None:
    first, *later = in_fragments(opened(rig, hook, path), "request", LONG, rig.port())
    forwards(rig, hook, path, "request", *first)
    for arrives, leaves in later:
        forwards(rig, other, path, "request", arrives, leaves)


@HOOKS
@EVERY_FAMILY
def test_another_number_protocol_or_sender_is_another_datagram(rig: Rig, hook: Hook, path: Path) -> None:
    ident = rig.port()
    flow = opened(rig, hook, path)
    first, _, later = in_fragments(flow, "request", LONG, ident)
    forwards(rig, hook, path, "request", *first)
    other = Protocol.UDP if path.protocol is Protocol.TCP else Protocol.TCP
    strangers = (
        cut(flow.request(LONG), FIRST, ident=ident ^ 1)[1],
        cut(Flow(replace(path, protocol=other), flow.port).request(LONG), FIRST, ident=ident)[1],
        cut(Flow(replace(path, client=path.client + "7"), flow.port).request(LONG), FIRST, ident=ident)[1],
        cut(Flow(replace(path, virtual=path.virtual[:-1] + "9"), flow.port).request(LONG), FIRST, ident=ident)[1],
    )
    for stranger in strangers:
        waits(rig, hook, stranger)
    forwards(rig, hook, path, "request", *later)


@HOOKS
@pytest.mark.parametrize("path", [TCP6, FAMILIES["udp6"]], ids=["tcp6", "udp6"])
def test_all_32_bits_of_ipv6_tell_datagrams_apart(rig: Rig, hook: Hook, path: Path) -> None:
    ident = rig.port() << 16 | 5
    flow = opened(rig, hook, path)
    first, later, _ = in_fragments(flow, "request", LONG, ident)
    forwards(rig, hook, path, "request", *first)
    for bit in (0, 15, 16, 31):
        waits(rig, hook, cut(flow.request(LONG), FIRST, SECOND, ident=ident ^ 1 << bit)[1])
    forwards(rig, hook, path, "request", *later)


@HOOKS
@EVERY_FAMILY
def test_number_used_again_is_the_newest_datagram(rig: Rig, hook: Hook, path: Path) -> None:
    """Another client port between the same two hosts."""
    ident = rig.port()
    for flow in (opened(rig, hook, path), opened(rig, hook, path)):
        for arrives, leaves in in_fragments(flow, "request", LONG, ident):
            forwards(rig, hook, path, "request", arrives, leaves)


@contextmanager
def remembered(path: Path, ident: int) -> Iterator[tuple[int, bytes]]:
    """The map and the key of a datagram to the service."""
    number = ident.to_bytes(4, "big") if path.is_ipv6 else ident.to_bytes(2, "big") + bytes(2)
    ends = (Address.parse(one).mapped for one in (path.client, path.virtual))
    fd = loaded().open("fragments")
    yield fd, b"".join(ends) + number + bytes((int(path.protocol), 0, 0, 0))
    os.close(fd)


@HOOKS
@EVERY_FAMILY
def test_remembered_for_half_a_minute(rig: Rig, hook: Hook, path: Path) -> None:
    ident = rig.port()
    first, later, _ = in_fragments(opened(rig, hook, path), "request", LONG, ident)
    early = monotonic_ns() >> 20
    forwards(rig, hook, path, "request", *first)
    with remembered(path, ident) as (fd, key):
        content = bpf.lookup(fd, key, FRAGMENT.size)
        assert content is not None
        source, destination, until, rest = FRAGMENT.unpack(content)
        assert early - 20 <= until - KEPT_MS <= monotonic_ns() >> 20  # a clock that is coarse may be behind
        bpf.update(fd, key, FRAGMENT.pack(source, destination, early - 100, rest))
        waits(rig, hook, later[0])
        bpf.update(fd, key, FRAGMENT.pack(source, destination, early + 10_000, rest))
        forwards(rig, hook, path, "request", *later)


@HOOKS
@EVERY_PATH
def test_datagram_counts_as_one_packet_of_all_bytes(rig: Rig, hook: Hook, path: Path) -> None:
    path = alone(rig, path)
    flow = opened(rig, hook, path)
    before = traffic(path)
    bytes_sent = {}
    for sent in ("request", "reply"):
        fragments = [*in_fragments(flow, sent, LONG, rig.port())]
        for arrives, _ in fragments:
            assert rig.run(hook, arrives, "front" if sent == "request" else "back").is_forwarded
        bytes_sent[sent] = sum(len(arrives) - 14 for arrives, _ in fragments)
    counted = [after - earlier for after, earlier in zip(traffic(path), before, strict=True)]
    assert counted == [0, 1, 1, bytes_sent["request"], bytes_sent["reply"]]


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["tcp4", "tcp6"])
def test_later_ones_are_no_segments_of_their_own(rig: Rig, hook: Hook, path: Path) -> None:
    """What stands where a first one has its flags is data: here FIN and RST."""
    flow = opened(rig, hook, path)
    assert rig.run(hook, flow.reply(Shape(flags="SA")), "back").is_forwarded
    fragments = [*in_fragments(flow, "request", replace(LONG, payload=b"\x05" * 2501), rig.port())]
    for arrives, leaves in fragments:
        forwards(rig, hook, path, "request", arrives, leaves)
        assert state_of(flow) == "ESTABLISHED"
    closing = [*in_fragments(flow, "request", replace(LONG, flags="FA"), rig.port())]
    forwards(rig, hook, path, "request", *closing[0])
    assert state_of(flow) == "CLOSE_WAIT"
    forwards(rig, hook, path, "request", *closing[1])
    assert state_of(flow) == "CLOSE_WAIT"


@HOOKS
@EVERY_FAMILY
def test_datagram_of_no_service_passes(rig: Rig, hook: Hook, path: Path) -> None:
    for arrives, _ in in_fragments(Flow(replace(path, virtual_port=9), rig.port()), "request", LONG, rig.port()):
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, arrives)


@HOOKS
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["tcp4", "tcp6"])
def test_segment_that_opens_nothing_passes_whole(rig: Rig, hook: Hook, path: Path) -> None:
    """What is left to the stack is left to it with all of its fragments."""
    for arrives, _ in in_fragments(Flow(path, rig.port()), "request", LONG, rig.port()):
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, arrives)


@contextmanager
def setting(name: str, value: int) -> Iterator[None]:
    settings = loaded().settings
    before = settings.load(0, name)
    settings.store(0, name, value)
    yield
    settings.store(0, name, before)


@EVERY_FAMILY
def test_without_a_siding_the_stack_gets_it(rig: Rig, path: Path) -> None:
    arrives = cut(Flow(path, rig.port()).request(LONG), FIRST, ident=rig.port())[1]
    with setting("siding_wait", 0):
        run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_FRAGMENT": 1}, arrives)


@EVERY_FAMILY
def test_nothing_waits_while_its_family_has_no_service(rig: Rig, path: Path) -> None:
    arrives = cut(Flow(path, rig.port()).request(LONG), FIRST, ident=rig.port())[1]
    rig.serve((TCP4 if path.is_ipv6 else TCP6).row)
    run = rig.run(Hook.TC, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_IDLE": 1}, arrives)
