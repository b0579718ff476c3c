# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/tun.h and path_mtu.h, sizes: what does not fit with its outer headers is answered with the size that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic_ns

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig

from bpvs.model import Protocol, TunnelChecksum, TunnelType
from tests.packets.errors import answer
from tests.packets.frames import Flow, Path, Shape, difference, opened
from tests.packets.listing import row_of
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig, loaded
from tests.packets.test_tun import forwarded
from tests.packets.tunnels import PLAIN, SUMMED, overhead_of, paths_of

pytestmark = pytest.mark.root

NARROW = paths_of(PLAIN | SUMMED, 161, link=3)
HOOKS = pytest.mark.parametrize("hook", Hook)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in NARROW.values()))


def filling(path: Path, length: int) -> Shape:
    """A packet of that many bytes that must not be fragmented."""
    headers = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    return Shape(flags="A", payload=bytes(length - headers), ip={} if path.is_ipv6 else {"flags": "DF"})


@HOOKS
@pytest.mark.parametrize("path", NARROW.values(), ids=NARROW)
def test_mtu_less_the_outer_headers(rig: Rig, hook: Hook, path: Path) -> None:
    """The sender is told the size of an inner packet that fits."""
    room = NARROW_MTU - overhead_of(path)
    flow = opened(rig, hook, path)
    assert len(forwarded(rig, hook, path, flow.request(filling(path, room)))) == 14 + NARROW_MTU
    arrives = flow.request(filling(path, room + 1))
    run = rig.run(hook, arrives)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        return
    error = ICMPv6PacketTooBig(mtu=room) if path.is_ipv6 else ICMP(type=3, code=4, nexthopmtu=room)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TOO_BIG": 1})
    assert not difference(run.frame, answer(arrives, error))


@HOOKS
@pytest.mark.parametrize("name", ["tcp4 in gue, IPv4", "tcp6 in ipip, IPv6"])
def test_smaller_mtu_further_on(rig: Rig, hook: Hook, name: str) -> None:
    """As long as it is remembered, what a router told counts where it is less than the link's own."""
    path = NARROW[name]
    flow = opened(rig, hook, path)
    now = monotonic_ns() >> 20
    far = 1000 + overhead_of(path)
    big, small = flow.request(filling(path, 1001)), flow.request(filling(path, 1000))
    with path_mtu(flow, far, now + 60_000):
        assert not rig.run(hook, big).is_forwarded or hook is Hook.TC
        assert rig.run(Hook.TC, big).verdicts == {"DROP_TOO_BIG": 1}
        forwarded(rig, hook, path, small)
    for mtu, until in ((far, now - 60_000), (9000, now + 60_000), (0, 0)):
        with path_mtu(flow, mtu, until):
            forwarded(rig, hook, path, big)


@contextmanager
def path_mtu(flow: Flow, mtu: int, until: int) -> Iterator[None]:
    instance = loaded()
    dest = instance.conns.load(row_of(flow), "dest")
    instance.dests.store(dest, "path_mtu_until", until % 2**32)
    instance.dests.store(dest, "path_mtu", mtu)
    yield
    instance.dests.store(dest, "path_mtu", 0)


def comes_apart(path: Path) -> bool:
    """Whether the tunnel takes no merged packet of that protocol."""
    if path.tunnel.type is TunnelType.GUE:
        return path.protocol is Protocol.UDP
    return path.tunnel.type is TunnelType.GRE and path.tunnel.checksum is TunnelChecksum.FULL


APART = {name: path for name, path in NARROW.items() if comes_apart(path)}
WHOLE = {name: path for name, path in NARROW.items() if not comes_apart(path)}


@pytest.mark.parametrize("path", APART.values(), ids=APART)
def test_merged_packet_comes_apart_in_the_siding_first(rig: Rig, path: Path) -> None:
    """By GRE each segment needs its checksum, which the kernel's devices insist on; the agent cannot part datagrams."""
    flow = opened(rig, Hook.TC, path)
    arrives = flow.request(Shape(flags="A", payload=bytes(2500)))
    run = rig.run(Hook.TC, arrives, gso_size=1000)
    assert (run.action, run.verdicts, run.frame) == (Action.REDIRECT, {"HOLD_FINISH": 1}, arrives)


@pytest.mark.parametrize("path", WHOLE.values(), ids=WHOLE)
def test_merged_packet_that_the_kernel_cannot_wrap_is_dropped(rig: Rig, path: Path) -> None:
    """It wraps those of TCP and UDP; a test run can only make one of no known kind."""
    flow = opened(rig, Hook.TC, path)
    run = rig.run(Hook.TC, flow.request(Shape(flags="A", payload=bytes(2500))), gso_size=1000)
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_NO_ROOM": 1})
