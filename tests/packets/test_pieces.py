# SPDX-License-Identifier: GPL-2.0-or-later
"""pieces.h: what does not fit and may be cut goes on in pieces, whose rest comes back from the siding."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from scapy.compat import raw
from scapy.layers.inet import IP, IPOption_NOP
from scapy.layers.l2 import Ether

from bpvs.model import NO_TUNNEL, Method, Protocol
from tests.packets.frames import CLIENT, LOCAL_MAC, Path, Shape, difference, opened, rebuilt
from tests.packets.pieces import cut, piece
from tests.packets.proxied import captured
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig, loaded
from tests.packets.tunnels import PLAIN, SUMMED, Outer, in_tunnel, overhead_of, paths_of

pytestmark = pytest.mark.root

PATHS = {name: path for name, path in paths_of(PLAIN | SUMMED, 194, link=3).items() if not path.is_ipv6}
UDP = {name: path for name, path in PATHS.items() if path.protocol is Protocol.UDP}
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
EVERY_TUNNEL = pytest.mark.parametrize("path", UDP.values(), ids=UDP)
IPIP = PATHS["udp4 in ipip, IPv4"]

HEADER, UNIT = 20, 8
SECONDS = 5.0


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


def room(path: Path) -> int:
    """Bytes behind the IP header that each piece but the last has."""
    return (NARROW_MTU - overhead_of(path) - HEADER) // UNIT * UNIT


def sized(path: Path, length: int, ident: int = 0x4321, **ip: object) -> Shape:
    """A packet without DF that has so many bytes behind its IP header."""
    transport = 8 if path.protocol is Protocol.UDP else 20
    content = bytes((7 * place) % 251 for place in range(length - transport))
    return Shape(flags="PA", payload=content, ip={"id": ident, **ip})


def part(whole: bytes, begin: int, end: int, is_last: bool, ident: int = 0x4321) -> bytes:
    """These bytes of an IP packet as a fragment of their own."""
    return piece(whole, begin, whole[14 + HEADER + begin : 14 + HEADER + end], is_last, ident)


def goes_on(rig: Rig, path: Path, arrives: bytes, expected: bytes, is_rest: bool, is_whole: bool = True) -> bytes:
    """The packet out of the siding leaves as that piece, in its tunnel; the frame that left."""
    run = rig.run_finished(arrives, "front", is_rest)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, in_tunnel(path, expected, run.frame, is_whole=is_whole))
    return run.frame


@EVERY_PATH
@pytest.mark.parametrize("hook", Hook)
def test_it_is_finished_in_the_siding_first(rig: Rig, hook: Hook, path: Path) -> None:
    arrives = opened(rig, hook, path).request(sized(path, room(path) + UNIT + 1))
    run = rig.run(hook, arrives)
    expected = (Action.REDIRECT, "HOLD_FINISH") if hook is Hook.TC else (Action.PASS, "PASS_TO_TC")
    assert (run.action, run.verdicts, run.frame) == (expected[0], {expected[1]: 1}, arrives)


@EVERY_PATH
def test_what_just_fits_stays_whole(rig: Rig, path: Path) -> None:
    fits = NARROW_MTU - overhead_of(path) - HEADER
    arrives = opened(rig, Hook.TC, path).request(sized(path, fits))
    goes_on(rig, path, arrives, arrives, is_rest=False)
    assert rig.run(Hook.TC, arrives).verdicts == {}


@EVERY_PATH
def test_first_piece(rig: Rig, path: Path) -> None:
    size = room(path)
    whole = opened(rig, Hook.TC, path).request(sized(path, 2 * size))
    goes_on(rig, path, whole, part(whole, 0, size, is_last=False), is_rest=False)


@EVERY_PATH
@pytest.mark.parametrize("more", ["least", "odd", "full"])
def test_rest_that_fits(rig: Rig, path: Path, more: str) -> None:
    """The last piece may be of any size."""
    size = room(path)
    fits = NARROW_MTU - overhead_of(path) - HEADER
    length = size + {"least": fits - size + 1, "odd": 333, "full": fits}[more]
    whole = opened(rig, Hook.TC, path).request(sized(path, length))
    first = goes_on(rig, path, whole, part(whole, 0, size, is_last=False), is_rest=False)
    rest = goes_on(rig, path, whole, part(whole, size, length, is_last=True), is_rest=True)
    assert Outer.of(first).port == Outer.of(rest).port


@EVERY_TUNNEL
def test_rest_of_a_rest(rig: Rig, path: Path) -> None:
    size = room(path)
    length = 2 * size + 100
    whole = opened(rig, Hook.TC, path).request(sized(path, length))
    goes_on(rig, path, whole, part(whole, 0, size, is_last=False), is_rest=False)
    goes_on(rig, path, whole, part(whole, size, 2 * size, is_last=False), is_rest=True)
    rest = part(whole, size, length, is_last=True)
    goes_on(rig, path, rest, part(whole, 2 * size, length, is_last=True), is_rest=True)


@EVERY_TUNNEL
def test_client_s_own_fragments_are_cut_again(rig: Rig, path: Path) -> None:
    """Each as a packet of its own; only the last piece of the last one is the datagram's last."""
    size, ident = room(path), 0x7000 + rig.port() % 0x1000
    place, length = 1448, 2900
    whole = opened(rig, Hook.TC, path).request(sized(path, length, ident))
    for begin, end, arrives in zip((0, place), (place, length), cut(whole, place, ident=ident), strict=True):
        assert rig.run(Hook.TC, arrives).verdicts == {"HOLD_FINISH": 1}
        first = part(whole, begin, begin + size, is_last=False, ident=ident)
        goes_on(rig, path, arrives, first, is_rest=False)
        goes_on(rig, path, arrives, part(whole, begin + size, end, end == length, ident), is_rest=True)


@EVERY_TUNNEL
def test_all_pieces_leave_by_themselves(rig: Rig, path: Path) -> None:
    """The copies that a run makes come back from the real siding, one after the other."""
    size, ident = room(path), 0x6000 + rig.port() % 0x1000
    length = 2 * size + 500
    whole = opened(rig, Hook.TC, path).request(sized(path, length, ident))
    with captured("narrow") as far:
        far.settimeout(SECONDS)
        goes_on(rig, path, whole, part(whole, 0, size, is_last=False, ident=ident), is_rest=False)
        for begin, end in pairwise((size, 2 * size, length)):
            expected = part(whole, begin, end, is_last=end == length, ident=ident)
            left = next_of(far, path, ident)
            assert not difference(left, in_tunnel(path, expected, left))


def next_of(far: socket.socket, path: Path, ident: int) -> bytes:
    """The next frame that reaches the server's link with a piece of that datagram inside."""
    deadline = time.monotonic() + SECONDS
    start = 14 + overhead_of(path)
    while time.monotonic() < deadline:
        content = far.recv(4096)
        if Ether(content).dst == path.server_mac and content[start + 4 : start + 6] == ident.to_bytes(2, "big"):
            return content
    raise TimeoutError(f"no more pieces of {ident:#x}")


@EVERY_TUNNEL
def test_ip_options_are_the_kernel_s_to_sort(rig: Rig, path: Path) -> None:
    """It gets the packet in its tunnel, with the TTL that it lowers itself, and cuts the outer one."""
    flow = opened(rig, Hook.TC, path)
    shape = sized(path, 1400, options=[IPOption_NOP()] * 4)
    run = rig.run(Hook.TC, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    wrapped = in_tunnel(path, flow.request(replace(shape, ttl=shape.ttl + 1)), run.frame, is_whole=False)
    ethernet = bytes(Ether(src=LOCAL_MAC, dst=LOCAL_MAC, type=Ether(wrapped).type))
    assert not difference(run.frame, ethernet + wrapped[14:])


@pytest.mark.parametrize("hook", Hook)
def test_df_forbids_it(rig: Rig, hook: Hook) -> None:
    arrives = opened(rig, hook, IPIP).request(sized(IPIP, room(IPIP) + 100, flags="DF"))
    verdict = {"DROP_TOO_BIG": 1} if hook is Hook.TC else {"PASS_TO_TC": 1}
    assert rig.run(hook, arrives).verdicts == verdict


@pytest.mark.parametrize("missing", ["siding_done", "siding_wait"], ids=["none at all", "one without its queue"])
def test_without_a_siding_the_kernel_cuts(rig: Rig, missing: str) -> None:
    flow = opened(rig, Hook.TC, IPIP)
    shape = sized(IPIP, room(IPIP) + 100)
    settings = loaded().settings
    siding = settings.load(0, missing)
    settings.store(0, missing, 0)
    try:
        run = rig.run(Hook.TC, flow.request(shape))
    finally:
        settings.store(0, missing, siding)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    wrapped = in_tunnel(IPIP, flow.request(replace(shape, ttl=shape.ttl + 1)), run.frame, is_whole=False)
    assert run.frame[14:] == wrapped[14:]


@EVERY_PATH
@pytest.mark.parametrize("hook", Hook)
def test_without_path_mtu_discovery_no_tunnel_has_df(rig: Rig, hook: Hook, path: Path) -> None:
    """pmtu_disc 0; the client's packet keeps its own."""
    flow = opened(rig, hook, path)
    arrives = flow.request(sized(path, 600, flags="DF"))
    for pmtu_disc, flags in ((1, "DF"), (0, "")):
        with rig.sysctls(pmtu_disc=pmtu_disc):
            run = rig.run(hook, arrives)
        assert run.is_forwarded
        outer = Ether(run.frame).payload
        assert outer.version == 6 or str(outer.flags) == flags
        assert run.frame[14 + overhead_of(path) + 6] & 0x40
        assert outer.version == 6 or outer.chksum == Ether(rebuilt(run.frame)).payload.chksum


@EVERY_PATH
def test_without_path_mtu_discovery_df_is_taken_off_what_is_cut(rig: Rig, path: Path) -> None:
    size = room(path)
    length = size + 333
    flow = opened(rig, Hook.TC, path)
    whole, allowed = (flow.request(sized(path, length, flags=flags)) for flags in ("DF", 0))
    with rig.sysctls(pmtu_disc=0):
        assert rig.run(Hook.TC, whole).verdicts == {"HOLD_FINISH": 1}
        first, last = part(allowed, 0, size, is_last=False), part(allowed, size, length, is_last=True)
        goes_on(rig, path, whole, first, is_rest=False, is_whole=False)
        goes_on(rig, path, allowed, last, is_rest=True, is_whole=False)


@EVERY_TUNNEL
def test_without_path_mtu_discovery_all_pieces_of_a_packet_without_a_number_have_the_same(rig: Rig, path: Path) -> None:
    size = room(path)
    length = 2 * size + 500
    whole = opened(rig, Hook.TC, path).request(sized(path, length, 0, flags="DF"))
    with captured("narrow") as far, rig.sysctls(pmtu_disc=0):
        far.settimeout(SECONDS)
        start = 14 + overhead_of(path)
        first = rig.run_finished(whole, "front").frame
        number = int.from_bytes(first[start + 4 : start + 6], "big")
        assert number
        for begin, end in pairwise((0, size, 2 * size, length)):
            left = next_of(far, path, number) if begin else first
            expected = part(whole, begin, end, is_last=end == length, ident=number)
            assert not difference(left, in_tunnel(path, without_df(expected), left, is_whole=False))


def without_df(content: bytes) -> bytes:
    """The IPv4 frame without "don't fragment"."""
    frame = Ether(content)
    frame[IP].flags = "MF" if "MF" in frame[IP].flags else 0
    del frame[IP].chksum
    return bytes(raw(frame))


@pytest.mark.parametrize("hook", Hook)
def test_path_mtu_discovery_is_a_matter_of_tunnels(rig: Rig, hook: Hook) -> None:
    """By NAT such a packet is still too big, and its sender told."""
    path = Path(CLIENT, "10.0.0.195", 80, "10.3.0.11", 80, Protocol.UDP, link=3)
    rig.serve(path.row)
    with rig.sysctls(pmtu_disc=0):
        run = rig.run(hook, opened(rig, hook, path).request(sized(path, 1400, flags="DF")))
    assert run.verdicts == ({"DROP_TOO_BIG": 1} if hook is Hook.TC else {"PASS_TO_TC": 1})


DIRECT = replace(IPIP, virtual_port=90, server_port=90, method=Method.ROUTE, tunnel=NO_TUNNEL)
DIRECT_ROOM = (NARROW_MTU - HEADER) // UNIT * UNIT


@pytest.mark.parametrize("path", [DIRECT, replace(DIRECT, protocol=Protocol.TCP)], ids=["UDP", "TCP"])
def test_by_direct_routing_too(rig: Rig, path: Path) -> None:
    rig.serve(path.row)
    flow = opened(rig, Hook.TC, path)
    shape = sized(path, 2 * DIRECT_ROOM + 100)
    arrives, leaves = flow.request(shape), flow.to_server(shape)
    for hook, verdict in ((Hook.XDP, "PASS_TO_TC"), (Hook.TC, "HOLD_FINISH")):
        run = rig.run(hook, arrives)
        assert (run.verdicts, run.frame) == ({verdict: 1}, arrives)
    run = rig.run_finished(arrives, "front")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, part(leaves, 0, DIRECT_ROOM, is_last=False))
    run = rig.run_finished(arrives, "front", is_rest=True)
    assert not difference(run.frame, part(leaves, DIRECT_ROOM, 2 * DIRECT_ROOM, is_last=False))
    rest = part(arrives, DIRECT_ROOM, 2 * DIRECT_ROOM + 100, is_last=True)
    run = rig.run_finished(rest, "front", is_rest=True)
    assert not difference(run.frame, part(leaves, 2 * DIRECT_ROOM, 2 * DIRECT_ROOM + 100, is_last=True))
    fits = flow.request(sized(path, NARROW_MTU - HEADER))
    assert rig.run(Hook.TC, fits).verdicts == {}


def test_by_direct_routing_the_kernel_is_never_asked_to(rig: Rig) -> None:
    """It would take the virtual address for its own: IP options are not sorted here, so that packet is lost."""
    rig.serve(DIRECT.row)
    flow = opened(rig, Hook.TC, DIRECT)
    run = rig.run(Hook.TC, flow.request(sized(DIRECT, 1400, options=[IPOption_NOP()] * 4)))
    assert (run.action, run.verdicts) == (Action.DROP, {"DROP_TOO_BIG": 1})


REPLY_MTU = 1000


@pytest.mark.parametrize("path", [replace(DIRECT, link=2, server="10.2.0.15"), IPIP], ids=["direct routing", "tunnel"])
def test_replies_that_pass(rig: Rig, path: Path) -> None:
    rig.ip(f"route replace 10.9.7.0/24 via 10.1.0.2 mtu lock {REPLY_MTU}")
    path = replace(path, client="10.9.7.5", link=2)
    rig.serve(path.row)
    flow = opened(rig, Hook.TC, path)
    size = (REPLY_MTU - HEADER) // UNIT * UNIT
    shape = sized(path, size + 200)
    arrives, leaves = flow.reply(shape), flow.to_client(shape)
    run = rig.run(Hook.TC, arrives, "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"HOLD_FINISH": 1})
    run = rig.run_finished(arrives, "back")
    assert not difference(run.frame, part(leaves, 0, size, is_last=False))
    run = rig.run_finished(arrives, "back", is_rest=True)
    assert not difference(run.frame, part(leaves, size, size + 200, is_last=True))
