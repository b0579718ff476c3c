# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/tun.h and csum.h, outer checksums: right over whatever the client sent, known from its own or added up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrDestOpt

from bpvs.model import Protocol, TunnelType
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import Flow, Path, Shape, opened
from tests.packets.rig import Hook, Rig
from tests.packets.shapes import rows_for
from tests.packets.test_tun import forwarded
from tests.packets.tunnels import SUMMED, paths_of

pytestmark = pytest.mark.root

PATHS = paths_of(SUMMED, 162, server=14)
ROWS = rows_for({name: path for name, path in PATHS.items() if "remcsum" not in name})
GUE = {name: path for name, path in PATHS.items() if path.tunnel.type is TunnelType.GUE}
ZERO = {name: path for name, path in GUE.items() if path.is_ipv6 or path.protocol is Protocol.UDP}
UDP = {name: path for name, path in PATHS.items() if path.protocol is Protocol.UDP}
HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_every_shape(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    forwarded(rig, hook, path, Flow(path, rig.port()).request(shape))


@HOOKS
@EVERY_PATH
def test_every_length(rig: Rig, hook: Hook, path: Path) -> None:
    """Around the blocks of 64 bytes in which a sum is taken, with and without a checksum of the packet's own."""
    flow = Flow(path, rig.port())
    bare = {"chksum": 0} if path.protocol is Protocol.UDP else {}
    for length in (*range(12, 33), 63, 64, 65, 127, 128, 129, 1279):
        payload = bytes((37 * place + length) % 256 for place in range(length))
        for transport in ({}, bare):
            forwarded(rig, hook, path, flow.request(Shape(payload=payload, transport=transport)))


@HOOKS
@EVERY_PATH
def test_header_options_and_extensions_without_a_checksum_inside(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    more = {"options": [IPOption_NOP()] * 8} if not path.is_ipv6 else {}
    extensions = IPv6ExtHdrDestOpt() if path.is_ipv6 else None
    for payload in (b"", b"odd", bytes(range(200))):
        shape = Shape(payload=payload, ip=more, extensions=extensions, padding=b"\1\2\3")
        forwarded(rig, hook, path, flow.request(shape))
        if path.protocol is Protocol.UDP:
            forwarded(rig, hook, path, flow.request(replace(shape, transport={"chksum": 0})))


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(201))], ids=len)
def test_error_inside(rig: Rig, hook: Hook, path: Path, payload: bytes) -> None:
    flow = opened(rig, hook, path)
    header = ICMPv6PacketTooBig(mtu=1280) if path.is_ipv6 else ICMP(type=3, code=4, nexthopmtu=1400)
    for error in (
        Error(header, Shape(payload=payload), from_router=True),
        Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, replace(LONG, payload=payload), outer=Shape(padding=b"z")),
    ):
        forwarded(rig, hook, path, error.to_server(flow)[0])


@HOOKS
@pytest.mark.parametrize("path", UDP.values(), ids=UDP)
def test_largest_checksum_inside(rig: Rig, hook: Hook, path: Path) -> None:
    """0xffff in UDP is a sum of 0, not a missing one."""
    flow = Flow(path, rig.port())
    zeros = flow.request(Shape(payload=bytes(2)))
    at = 14 + (40 if path.is_ipv6 else 20) + 6
    arrives = flow.request(Shape(payload=zeros[at : at + 2]))
    assert arrives[at : at + 2] == b"\xff\xff"
    forwarded(rig, hook, path, arrives)


@HOOKS
@pytest.mark.parametrize("path", ZERO.values(), ids=ZERO)
def test_outer_sum_of_0_is_written_as_its_other_form(rig: Rig, hook: Hook, path: Path) -> None:
    """In UDP 0 would mean that there is none (RFC 768, RFC 8200)."""
    flow = Flow(path, rig.port())

    def with_word(word: bytes) -> Shape:
        """Only the outer checksum covers it."""
        if path.is_ipv6:
            return Shape(ip={"fl": int.from_bytes(word, "big")})
        return Shape(payload=word, transport={"chksum": 0})

    at = 14 + (40 if ":" in path.server else 20) + 6
    left = forwarded(rig, hook, path, flow.request(with_word(bytes(2))))
    left = forwarded(rig, hook, path, flow.request(with_word(left[at : at + 2])))
    assert left[at : at + 2] == b"\xff\xff"
