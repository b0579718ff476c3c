# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/tun.h: the client's packet travels whole behind an outer header, to servers of either family."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product

import pytest
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6TimeExceeded

from bpvs.kernel import _abi
from bpvs.model import Address, Protocol, TunnelType
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error, answer
from tests.packets.frames import Flow, Path, Shape, alone, difference, opened
from tests.packets.listing import state_of, traffic
from tests.packets.rig import Action, Hook, Rig, loaded
from tests.packets.shapes import rows_for
from tests.packets.tunnels import GUE_SOURCES, PLAIN, SUMMED, Outer, in_tunnel, paths_of

pytestmark = pytest.mark.root

PATHS = paths_of(PLAIN, 160)
ROWS = rows_for(PATHS)
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
GUE = {name: path for name, path in PATHS.items() if path.tunnel.type is TunnelType.GUE}


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def forwarded(rig: Rig, hook: Hook, path: Path, arrives: bytes) -> bytes:
    """The frame as it left, which is the one that must leave."""
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, in_tunnel(path, arrives, run.frame))
    return run.frame


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_is_wrapped(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    forwarded(rig, hook, path, Flow(path, rig.port()).request(shape))


@HOOKS
@EVERY_PATH
def test_class_is_copied_and_congestion_marks_stay_inside(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    for ecn, dscp in product(range(4), (0, 46)):
        tos = dscp << 2 | ecn
        shape = Shape(ip={"tc": tos} if path.is_ipv6 else {"tos": tos})
        forwarded(rig, hook, path, flow.request(shape))


@HOOKS
@EVERY_PATH
def test_every_packet_of_the_connection(rig: Rig, hook: Hook, path: Path) -> None:
    """Counted by the inner packet's length."""
    before = traffic(path)
    flow = Flow(path, rig.port())
    size = (40 if path.is_ipv6 else 20) + (8 if path.protocol is Protocol.UDP else 20)
    for payload in (b"", b"more", b"and more"):
        forwarded(rig, hook, path, flow.request(Shape(flags="S" if not payload else "PA", payload=payload)))
    counted = [after - earlier for after, earlier in zip(traffic(path), before, strict=True)]
    assert counted == [1, 3, 0, 3 * size + 12, 0]
    assert state_of(flow) == ("ESTABLISHED" if path.protocol is Protocol.TCP else "UDP")


@HOOKS
@EVERY_PATH
def test_reply_that_passes_is_sent_on(rig: Rig, hook: Hook, path: Path) -> None:
    """The server answers in the service's name and without a tunnel."""
    flow, before = opened(rig, hook, path), traffic(path)[2]
    shape = Shape(flags="SA", payload=b"answer")
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))
    assert traffic(path)[2] == before + 1


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("from_router", [False, True])
def test_error_about_a_reply_is_wrapped(rig: Rig, hook: Hook, path: Path, from_router: bool) -> None:
    flow = opened(rig, hook, path)
    before = state_of(flow)
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG, from_router=from_router)
    forwarded(rig, hook, path, error.to_server(flow)[0])
    assert state_of(flow) == before


@HOOKS
@EVERY_PATH
def test_used_up_ttl(rig: Rig, hook: Hook, path: Path) -> None:
    arrives = Flow(path, rig.port()).request(Shape(ttl=1))
    run = rig.run(hook, arrives)
    if hook is Hook.XDP:
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
        return
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_TTL": 1})
    assert not difference(run.frame, answer(arrives, ICMPv6TimeExceeded() if path.is_ipv6 else ICMP(type=11)))


@HOOKS
@pytest.mark.parametrize("path", GUE.values(), ids=GUE)
def test_source_port_of_gue_tells_flows_apart(rig: Rig, hook: Hook, path: Path) -> None:
    seen: list[int] = []
    for flow in [Flow(path, rig.port()) for _ in range(12)]:
        ports = {Outer.of(rig.run(again, flow.request(Shape())).frame).port for again in (hook, *Hook)}
        assert len(ports) == 1
        seen += ports
    assert set(seen) <= set(GUE_SOURCES)
    assert len(set(seen)) > 4


@HOOKS
@pytest.mark.parametrize("name", [name for name in PATHS if name.endswith("IPv4")])
def test_packets_that_may_be_fragmented_differ_by_id(rig: Rig, hook: Hook, name: str) -> None:
    """Without path MTU discovery; RFC 791 tells fragments of two packets apart by it."""
    path = PATHS[name]
    request = Flow(path, rig.port()).request(Shape(payload=b"may be cut"))
    with rig.sysctls(pmtu_disc=0):
        left = [rig.run(hook, request).frame for _ in range(8)]
    assert not any(difference(frame, in_tunnel(path, request, frame, is_whole=False)) for frame in left)
    assert len({Outer.of(frame).ident for frame in left}) > 4


@contextmanager
def spread(family: str, prefix: str, mask: int) -> Iterator[None]:
    instance = loaded()
    at = _abi.SETTINGS.offset(family)
    size = _abi.SPREAD.size
    before = instance.settings.bytes_at(0, at, size)
    instance.settings.write(0, Address.parse(prefix).mapped + struct.pack("=I", mask), at)
    try:
        yield
    finally:
        instance.settings.write(0, before, at)


@HOOKS
@EVERY_PATH
def test_spread_of_outer_sources(rig: Rig, hook: Hook, path: Path) -> None:
    outside = ":" in path.server
    prefix, network = ("fd0a::", "fd0a::/120") if outside else ("10.13.5.0", "10.13.5.0/24")
    flows = [Flow(path, rig.port()) for _ in range(12)]
    seen: list[str] = []
    with spread("spread_ipv6" if outside else "spread_ipv4", prefix, 0xFF):
        for flow in flows:
            arrives = flow.request(Shape(payload=b"spread"))
            sources = set()
            for again in (hook, *Hook):
                left = rig.run(again, arrives).frame
                source = Outer.of(left).source
                assert not difference(left, in_tunnel(path, arrives, left, source))
                sources.add(source)
            assert len(sources) == 1
            seen += sources
    assert all(ip_address(source) in ip_network(network) for source in seen)
    assert len(set(seen)) > 4
    forwarded(rig, hook, path, flows[0].request(Shape()))


@HOOKS
def test_spread_of_the_other_family_changes_nothing(rig: Rig, hook: Hook) -> None:
    for name, family, prefix in (
        ("tcp4 in ipip, IPv6", "spread_ipv4", "10.13.5.0"),
        ("tcp6 in ipip, IPv4", "spread_ipv6", "fd0a::"),
    ):
        with spread(family, prefix, 0xFF):
            forwarded(rig, hook, PATHS[name], Flow(PATHS[name], rig.port()).request(Shape()))


@HOOKS
@pytest.mark.parametrize("name", ["tcp4 in ipip, IPv4", "udp6 in gre, IPv4", "udp4 in gue, IPv6", "tcp6 in ipip, IPv6"])
def test_tunnel_of_a_server_that_is_edited(rig: Rig, hook: Hook, name: str) -> None:
    """As in IPVS the tunnel is the server's, not the connection's."""
    path = alone(rig, PATHS[name])
    flow = opened(rig, hook, path)
    for tunnel in (*PLAIN.values(), *SUMMED.values()):
        edited = replace(path, tunnel=tunnel)
        with rig.change() as table:
            table.edit_server(*edited.row)
        forwarded(rig, hook, edited, flow.request(Shape(flags="A")))
