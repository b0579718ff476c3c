# SPDX-License-Identifier: GPL-2.0-or-later
"""icmp.h: errors about a NATed flow, and the packet embedded in them, are translated as the flow itself is.

An error to the client comes from the server or a router before it, complains about a request as the server saw it, and
leaves with the service's address. An error to the server complains about a reply as the client saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from scapy.compat import raw
from scapy.layers.inet import ICMP, IP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from bpvs.director import Director
from bpvs.model import Protocol
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, WHOLE, Error
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone, difference, frame
from tests.packets.rig import Action, Hook, Rig, mac

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.103", 80, "10.2.0.16", 8080)
TCP6 = Path(CLIENT6, "fd00::103", 80, "fd02::16", 8080)
PATHS = {
    "tcp4": TCP4,
    "tcp4 same port": replace(TCP4, virtual_port=81, server_port=81),
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}
NOPS = {"options": [IPOption_NOP()] * 8}

# name, error for IPv4
ERRORS4 = (
    ("net unreachable", Error(ICMP(type=3, code=0), LONG)),
    ("host unreachable from a router", Error(ICMP(type=3, code=1), LONG, from_router=True)),
    ("port unreachable", Error(UNREACHABLE, LONG)),
    ("fragmentation needed from a router", Error(ICMP(type=3, code=4, nexthopmtu=1400), LONG, from_router=True)),
    ("source quench", Error(ICMP(type=4), LONG)),
    ("time exceeded from a router", Error(ICMP(type=11), LONG, from_router=True)),
    ("8 bytes of transport", Error(UNREACHABLE, LONG, 28)),
    ("9 bytes of transport", Error(UNREACHABLE, LONG, 29)),
    ("TCP checksum just embedded", Error(UNREACHABLE, LONG, 20 + 18)),
    ("no payload", Error(UNREACHABLE, Shape())),
    ("odd payload", Error(UNREACHABLE, Shape(payload=b"odd"))),
    ("inner IP options", Error(UNREACHABLE, replace(LONG, ip=NOPS))),
    ("inner first fragment", Error(UNREACHABLE, replace(LONG, ip={"flags": "MF"}))),
    ("inner IP options, 8 bytes of transport", Error(UNREACHABLE, replace(LONG, ip=NOPS), 36)),
    ("outer IP options", Error(UNREACHABLE, LONG, outer=Shape(ip=NOPS))),
    ("padding of Ethernet", Error(UNREACHABLE, LONG, outer=Shape(padding=b"\1\2\3"))),
    (
        "padding where a TCP checksum would be",
        Error(UNREACHABLE, LONG, 28, Shape(padding=bytes(range(1, 17)))),
    ),
    ("inner TTL 1", Error(ICMP(type=11), replace(LONG, ttl=1), 28)),
)
ERRORS6 = (
    ("no route from a router", Error(ICMPv6DestUnreach(code=0), LONG, from_router=True)),
    ("port unreachable", Error(UNREACHABLE6, LONG)),
    ("too big from a router", Error(ICMPv6PacketTooBig(mtu=1280), LONG, from_router=True)),
    ("time exceeded from a router", Error(ICMPv6TimeExceeded(), LONG, from_router=True)),
    ("parameter problem", Error(ICMPv6ParamProblem(ptr=6), LONG)),
    ("8 bytes of transport", Error(UNREACHABLE6, LONG, 48)),
    ("no payload", Error(UNREACHABLE6, Shape())),
    ("odd payload", Error(UNREACHABLE6, Shape(payload=b"odd"))),
    (
        "padding where a TCP checksum would be",
        Error(UNREACHABLE6, LONG, 48, Shape(padding=bytes(range(1, 17)))),
    ),
    ("inner first fragment", Error(UNREACHABLE6, replace(LONG, extensions=IPv6ExtHdrFragment(m=1)))),
    ("inner extension header", Error(UNREACHABLE6, replace(LONG, extensions=IPv6ExtHdrDestOpt()))),
    ("outer extension header", Error(UNREACHABLE6, LONG, outer=Shape(extensions=IPv6ExtHdrHopByHop()))),
)
ROWS = [
    pytest.param(path, error, id=f"{name}, {which}")
    for which, path in PATHS.items()
    for name, error in (ERRORS6 if path.is_ipv6 else ERRORS4)
]


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def established(rig: Rig, path: Path) -> Flow:
    flow = Flow(path, rig.port())
    assert rig.run_uncounted(Hook.TC, flow.request(Shape()))[0] is Action.REDIRECT
    return flow


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "error"), ROWS)
def test_error_to_the_client(rig: Rig, hook: Hook, path: Path, error: Error) -> None:
    arrives, leaves = error.to_client(established(rig, path))
    run = rig.run(hook, arrives, "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, leaves)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "error"), ROWS)
def test_error_to_the_server(rig: Rig, hook: Hook, path: Path, error: Error) -> None:
    arrives, leaves = error.to_server(established(rig, path))
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, leaves)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_half_of_an_embedded_checksum_stays(rig: Rig, hook: Hook, path: Path) -> None:
    flow = established(rig, path)
    half = (40 if path.is_ipv6 else 20) + 17
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG, half)
    arrives, leaves = error.to_client(flow)
    parsed = Ether(leaves[:-1] + arrives[-1:])
    header = parsed.getlayer(2)
    header.remove_payload()
    del header.fields["cksum" if path.is_ipv6 else "chksum"]
    header.add_payload(Raw(leaves[-half:-1] + arrives[-1:]))
    assert not difference(rig.run(hook, arrives, "back").frame, bytes(raw(parsed)))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_wrong_checksum_stays_wrong_by_as_much(rig: Rig, hook: Hook, path: Path) -> None:
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG)
    arrives, leaves = error.to_client(established(rig, path))
    at = 14 + (40 if path.is_ipv6 else 20) + 2
    run = rig.run(hook, off_by_one(arrives, at), "back")
    assert not difference(run.frame, off_by_one(leaves, at))


def off_by_one(content: bytes, at: int) -> bytes:
    word = (int.from_bytes(content[at : at + 2], "big") + 1) % 0xFFFF
    return content[:at] + word.to_bytes(2, "big") + content[at + 2 :]


@pytest.mark.parametrize("path", [TCP4, PATHS["udp6"]], ids=["tcp4", "udp6"])
def test_udp_without_checksum_inside(rig: Rig, path: Path) -> None:
    if path.protocol is Protocol.TCP:
        path = PATHS["udp4"]
    error = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, replace(LONG, transport={"chksum": 0}))
    for hook in Hook:
        arrives, leaves = error.to_client(established(rig, path))
        assert not difference(rig.run(hook, arrives, "back").frame, leaves)


@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_error_for_a_client_on_the_director(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    assert rig.run(Hook.TC, flow.request(Shape()), "lo").is_forwarded
    arrives, leaves = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG).to_client(flow)
    early = rig.run(Hook.XDP, arrives, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    late = rig.run(Hook.TC, arrives, "back")
    assert late.action is Action.REDIRECT
    assert not difference(late.frame, bytes(12) + leaves[12:])


def test_error_changes_neither_state_nor_counts_of_connections(rig: Rig) -> None:
    flow = established(rig, alone(rig, TCP4))
    before, connection = counts(flow), state(flow)
    for arrives, link in (
        (Error(UNREACHABLE, LONG).to_client(flow)[0], "back"),
        (Error(UNREACHABLE, LONG).to_server(flow)[0], "front"),
    ):
        assert rig.run(Hook.TC, arrives, link).is_forwarded
    after = counts(flow)
    size = 20 + 8 + 20 + 20 + 200
    assert [b - a for a, b in zip(before, after, strict=True)] == [0, 1, 1, size, size, 0, 0]
    assert state(flow) == connection == "SYN_RECV"


def counts(flow: Flow) -> tuple[int, ...]:
    ((_, found),) = Director().status()[flow.path.key].servers.items()
    total = found.counters
    traffic = (total.connections, total.in_packets, total.out_packets, total.in_bytes, total.out_bytes)
    return (*traffic, found.active, found.inactive)


def state(flow: Flow) -> str:
    (found,) = (one for one in Director().connections() if one.client_port == flow.port)
    return found.state


def embedded(build: Callable[[Flow], Packet], cut: int = WHOLE) -> Callable[[Flow], bytes]:
    """An error from the server around whatever `build` makes."""

    def make(flow: Flow) -> bytes:
        inner = build(flow)
        ip = (
            IPv6(src=flow.path.server, dst=flow.path.client)
            if flow.path.is_ipv6
            else IP(src=flow.path.server, dst=flow.path.client)
        )
        header = UNREACHABLE6 if flow.path.is_ipv6 else UNREACHABLE
        return frame(mac(2, 16), mac(2, 1), ip / header / Raw(raw(inner)[:cut]))

    return make


def request(flow: Flow, shape: Shape = LONG, port: int = 0) -> Packet:
    """A request as the server sees it; of another client port if one is given."""
    path = flow.path
    return flow.packet(shape, path.client, port or flow.port, path.server, path.server_port)


# name, path, frame, verdict
UNTRANSLATED = (
    ("other flow", TCP4, embedded(lambda flow: request(flow, port=7)), "PASS_NO_SERVICE"),
    ("other flow, IPv6", TCP6, embedded(lambda flow: request(flow, port=7)), "PASS_NO_SERVICE"),
    (
        "request as the client sent it",
        TCP4,
        embedded(lambda f: f.packet(LONG, CLIENT, f.port, f.path.virtual, 80)),
        "PASS_NO_SERVICE",
    ),
    ("inner fragment", TCP4, embedded(lambda flow: request(flow, replace(LONG, ip={"frag": 9}))), "PASS_FRAGMENT"),
    (
        "inner fragment, IPv6",
        TCP6,
        embedded(lambda flow: request(flow, replace(LONG, extensions=IPv6ExtHdrFragment(offset=9)))),
        "PASS_FRAGMENT",
    ),
    ("inner ping", TCP4, embedded(lambda flow: IP(src=CLIENT, dst=flow.path.server) / ICMP()), "PASS_NOT_TRANSPORT"),
    (
        "inner error",
        TCP4,
        embedded(lambda flow: IP(src=CLIENT, dst=flow.path.server) / UNREACHABLE / request(flow)),
        "PASS_NOT_TRANSPORT",
    ),
    ("inner IPv6 in ICMP", TCP4, embedded(lambda _: IPv6(src=CLIENT6, dst="fd02::16") / bytes(40)), "PASS_MALFORMED"),
    ("inner IPv4 in ICMPv6", TCP6, embedded(lambda _: IP(src=CLIENT, dst="10.2.0.16") / bytes(40)), "PASS_MALFORMED"),
    (
        "inner header of 16 bytes",
        TCP4,
        embedded(lambda flow: request(flow, replace(LONG, ip={"ihl": 4}))),
        "PASS_MALFORMED",
    ),
    ("nothing inside", TCP4, embedded(request, 0), "PASS_MALFORMED"),
)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "build", "verdict"), [pytest.param(*row, id=name) for name, *row in UNTRANSLATED])
def test_left_to_the_stack(rig: Rig, hook: Hook, path: Path, build: Callable[[Flow], bytes], verdict: str) -> None:
    arrives = build(established(rig, path))
    run = rig.run(hook, arrives, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {verdict: 1}, arrives)


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_embedded_packet_cut_off_before_the_ports_end(rig: Rig, hook: Hook, path: Path) -> None:
    """RFC 792 embeds 8 bytes of transport; less identifies no flow."""
    flow = established(rig, path)
    for cut in range((40 if path.is_ipv6 else 20) + 8):
        arrives = embedded(request, cut)(flow)
        assert rig.run_uncounted(hook, arrives, "back") == (Action.PASS, arrives), cut


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_ports_in_the_padding_identify_no_flow(rig: Rig, hook: Hook, path: Path) -> None:
    flow = established(rig, path)
    header = 40 if path.is_ipv6 else 20
    for cut in range(header, header + 8):
        arrives = embedded(request, cut)(flow) + bytes(raw(request(flow)))[cut:]
        run = rig.run(hook, arrives, "back")
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_MALFORMED": 1}, arrives), cut


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "other"), [(TCP4, "10.2.0.1"), (TCP6, "fd02::1")], ids=["IPv4", "IPv6"])
def test_error_for_somebody_else_than_the_client(rig: Rig, hook: Hook, path: Path, other: str) -> None:
    """The outer destination must be the client that the embedded packet names."""
    flow = established(rig, path)
    header = IPv6(src=path.server, dst=other) if path.is_ipv6 else IP(src=path.server, dst=other)
    kind = UNREACHABLE6 if path.is_ipv6 else UNREACHABLE
    arrives = frame(mac(2, 16), mac(2, 1), header / kind / Raw(raw(request(flow))))
    run = rig.run(hook, arrives, "back")
    assert (run.action, run.frame) == (Action.PASS, arrives)


@pytest.mark.parametrize("hook", Hook)
def test_embedded_udp_checksum_that_comes_to_0(rig: Rig, hook: Hook) -> None:
    """0 would mean that there is none: it is written as 0xffff, inside an error too."""
    path = alone(rig, replace(TCP4, protocol=Protocol.UDP))
    flow = Flow(path, rig.port())
    rig.run(hook, flow.request(Shape()))
    zeros = bytes(raw(flow.packet(Shape(payload=bytes(2)), path.client, flow.port, path.virtual, path.virtual_port)))
    shape = Shape(payload=zeros[26:28])
    arrives, leaves = Error(UNREACHABLE, shape).to_client(flow)
    assert leaves[14 + 28 + 26 :][:2] == b"\xff\xff"
    assert not difference(rig.run(hook, arrives, "back").frame, leaves)
