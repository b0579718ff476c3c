# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/nat.h and csum.h: what leaves differs from what came in by address, port, TTL and checksums, nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from scapy.layers.inet import IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN

from bpvs.model import Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference
from tests.packets.rig import Action, Hook, Rig

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.100", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::100", 80, "fd02::11", 80)
PATHS = {
    "tcp4": TCP4,
    "tcp4 other port": replace(TCP4, virtual_port=81, server_port=8081),
    "tcp6": TCP6,
    "tcp6 other port": replace(TCP6, virtual_port=81, server_port=8081),
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp4 other port": replace(TCP4, protocol=Protocol.UDP, virtual_port=81, server_port=8081),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
    "udp6 other port": replace(TCP6, protocol=Protocol.UDP, virtual_port=81, server_port=8081),
}

ALL = tuple(PATHS)
IPV4 = tuple(name for name in PATHS if not PATHS[name].is_ipv6)
IPV6 = tuple(name for name in PATHS if PATHS[name].is_ipv6)
TCP = tuple(name for name in PATHS if PATHS[name].protocol is Protocol.TCP)
UDP = tuple(name for name in PATHS if PATHS[name].protocol is Protocol.UDP)

PAD = PadN(optdata=bytes(4))
OPTIONS = {"options": [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 2)), ("NOP", None), ("WScale", 7)]}
FULL = {"options": [("Experiment", (0xF989, bytes(34)))], "urgptr": 9, "window": 1, "seq": 2**32 - 1, "ack": 7}

# name, the paths it is tried on, the packet
SHAPES = (
    ("bare", ALL, Shape()),
    ("payload", ALL, Shape(payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("odd payload", ALL, Shape(payload=b"odd")),
    ("payload of ones", ALL, Shape(payload=b"\xff" * 64)),
    ("full size", ALL, Shape(payload=bytes(range(250)) * 5)),
    ("padding of Ethernet", ALL, Shape(payload=b"xy", padding=b"\0\1\2\3\4\5")),
    ("last but one hop", ALL, Shape(ttl=2)),
    ("greatest TTL", ALL, Shape(ttl=255)),
    ("TCP options of a SYN", TCP, Shape(transport=OPTIONS)),
    ("TCP header of 60 bytes", TCP, Shape(transport=FULL, payload=b"urgent data")),
    ("every flag but RST and FIN", TCP, Shape(flags="SAUECP")),
    ("UDP without checksum", UDP, Shape(transport={"chksum": 0}, payload=b"no checksum")),
    ("TOS, ID and DF", IPV4, Shape(ip={"tos": 0xB9, "id": 0xFFFF, "flags": "DF"})),
    ("one IP option", IPV4, Shape(ip={"options": [IPOption_NOP()]}, payload=b"options")),
    (
        "IP header of 60 bytes",
        IPV4,
        Shape(ip={"options": [IPOption_RR(length=39, routers=["0.0.0.0"] * 9)]}, payload=b"x"),
    ),
    ("class and flow label", IPV6, Shape(ip={"tc": 0xB9, "fl": 0xFFFFF})),
    ("hop-by-hop options", IPV6, Shape(extensions=IPv6ExtHdrHopByHop(options=[PAD]))),
    (
        "destination options",
        IPV6,
        Shape(extensions=IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(60))]), payload=b"far"),
    ),
    ("routing header, used up", IPV6, Shape(extensions=IPv6ExtHdrRouting(segleft=0, addresses=["fd0f::1"]))),
    (
        "three extension headers",
        IPV6,
        Shape(extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0), payload=b"3"),
    ),
    (
        "five extension headers",
        IPV6,
        Shape(
            extensions=IPv6ExtHdrHopByHop()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
            / IPv6ExtHdrDestOpt()
        ),
    ),
)
ROWS = [pytest.param(PATHS[path], shape, id=f"{name}, {path}") for name, paths, shape in SHAPES for path in paths]


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_goes_to_the_server(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_comes_from_the_service(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    assert rig.run_uncounted(hook, flow.request(Shape()))[0] is Action.REDIRECT
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_client_on_the_director(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    request = rig.run(Hook.TC, flow.request(Shape()), "lo")
    assert request.action is Action.REDIRECT
    assert not difference(request.frame, flow.to_server(Shape()))
    for ttl in (0, 1, 64):
        shape = Shape(flags="SA", ttl=ttl)
        reply = rig.run(Hook.TC, flow.reply(shape), "back")
        assert reply.action is Action.REDIRECT
        assert not difference(reply.frame, flow.to_client(shape))


def _payload_for(flow: Flow, checksum: int, sent: str) -> bytes:
    """Two bytes with which the frame that leaves has this transport checksum, found from the one that zeros give."""
    send = flow.to_server if sent == "request" else flow.to_client
    content = send(Shape(payload=bytes(2)))
    offset = 14 + (40 if flow.path.is_ipv6 else 20) + (6 if flow.path.protocol is Protocol.UDP else 16)
    found = int.from_bytes(content[offset : offset + 2], "big")
    return ((found - checksum) % 0xFFFF).to_bytes(2, "big")


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("sent", "wanted"), list(product(("request", "reply"), (0, 1, 0xFFFE))))
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_checksums_at_the_edge(rig: Rig, hook: Hook, path: Path, sent: str, wanted: int) -> None:
    """A sum of 0 is written as 0xffff in UDP, where 0 means that there is none (RFC 768, RFC 8200)."""
    flow = Flow(path, rig.port())
    shape = Shape(payload=_payload_for(flow, wanted, sent))
    if sent == "request":
        out, expected = rig.run(hook, flow.request(shape)).frame, flow.to_server(shape)
    else:
        rig.run_uncounted(hook, flow.request(Shape()))
        out, expected = rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape)
    assert not difference(out, expected)
    if path.protocol is Protocol.UDP and wanted == 0:
        assert out[-4:-2] == b"\xff\xff"
