# SPDX-License-Identifier: GPL-2.0-or-later
"""handshake.h: what the director makes of a server's answer to the SYN that a proven client's ACK became."""

from __future__ import annotations

import struct
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.lab.wait import until
from tests.packets import proxied
from tests.packets.cookies import Offer
from tests.packets.errors import UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import Flow, Path, Shape, difference
from tests.packets.listing import row_of, state_of, traffic
from tests.packets.proxied import CONFIRMED_WINDOW, ISN, LINUX, PATHS, Proxied, arrived, arrived_back, captured
from tests.packets.rig import Action, Hook, Rig, Run, loaded

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
BOTH = pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
AFTER = (ISN + 1) % 2**32


@pytest.fixture(autouse=True)
def _guarded(rig: Rig) -> None:
    proxied.guard(rig, *PATHS.values())


def scaling(scale: int | None) -> Offer:
    return replace(LINUX, scale=scale)


def from_server(rig: Rig, made: Proxied, shape: Shape) -> Run:
    """What TC does with it; XDP has left it alone."""
    arrives = made.flow.reply(shape)
    early = rig.run(Hook.XDP, arrives, "back")
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    return rig.run(Hook.TC, arrives, "back")


# client's scale, server's, window of the SYN, ACK, as the client is told it, the client's own, as the server is told it
WINDOWS = (
    (7, 7, 65160, 65160 >> 7, 502, 502),
    (7, 0, 65160, 65160 >> 7, 502, 502),
    (0, 14, 65535, 65535 >> 7, 64240, 64240),
    (14, 14, 100, 0, 4, 4),
    (7, None, 65160, 65160 >> 7, 500, 64000),
    (7, None, 65160, 65160 >> 7, 512, 65535),
    (14, None, 8192, 64, 3, 49152),
    (0, None, 8192, 64, 64240, 64240),
    (None, 7, 65160, 65160, 64240, 64240),
    (None, None, 65160, 65160, 64240, 64240),
)


@EVERY_PATH
@pytest.mark.parametrize(("client", "server", "offered", "told", "own", "confirmed"), WINDOWS)
def test_accepted(
    rig: Rig, path: Path, client: int | None, server: int | None, offered: int, told: int, own: int, confirmed: int
) -> None:
    """The server gets an ACK as from the client, with its window, and the client's window opens."""
    made = proxied.pending(rig, Hook.TC, path, scaling(client), window=own)
    with captured("back") as far:
        run = from_server(rig, made, made.accepting(scaling(server), window=offered))
        assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
        assert not difference(arrived(far, made.flow), made.confirming(confirmed))
    assert not difference(run.frame, made.telling("A", told))
    assert state_of(made.flow) == "ESTABLISHED"


@EVERY_PATH
def test_accepted_in_odd_shapes(rig: Rig, path: Path) -> None:
    """Congestion notification, no options, data of fast open, padding: none of it goes on."""
    shapes = (
        Shape(flags="SAE"),
        Shape(flags="SA", payload=b"hello"),
        Shape(flags="SA", padding=b"\1\2\3\4\5\6"),
        Shape(flags="SA", transport={"options": []}),
        Shape(flags="SA", transport={"options": [("Timestamp", (1, 2)), ("EOL", None)]}),
    )
    for shape in shapes:
        made = proxied.pending(rig, Hook.TC, path, scaling(None))
        transport = {**made.accepting(scaling(None)).transport, **shape.transport}
        with captured("back") as far:
            run = from_server(rig, made, replace(shape, transport=transport))
            assert not difference(arrived(far, made.flow), made.confirming(502))
        assert not difference(run.frame, made.telling("A", 65160))


@EVERY_PATH
def test_server_that_did_not_hear_is_told_again(rig: Rig, path: Path) -> None:
    """With a small window: the client's own is not known here. FullNAT's server is told the client again too."""
    made = proxied.established(rig, Hook.TC, path)
    for _ in range(2):
        run = from_server(rig, made, made.accepting())
        assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
        assert not difference(run.frame, made.confirming(CONFIRMED_WINDOW))
    assert state_of(made.flow) == "ESTABLISHED"


# name, flags of what the client sends while the server has not answered
EAGER = (("ACK", "A"), ("data", "PA"), ("FIN", "FA"), ("SYN", "S"), ("nothing", ""))


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("flags", [pytest.param(flags, id=name) for name, flags in EAGER])
def test_client_has_to_wait(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    made = proxied.pending(rig, hook, path)
    arrives = made.flow.request(replace(made.ack(), flags=flags, payload=b"x" if flags == "PA" else b""))
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_HANDSHAKE": 1}, arrives)
    assert state_of(made.flow) == "SYN_RECV"


@HOOKS
@EVERY_PATH
def test_client_may_give_up(rig: Rig, hook: Hook, path: Path) -> None:
    made = proxied.pending(rig, hook, path)
    shape = Shape(flags="R", transport={"seq": AFTER})
    run = rig.run(hook, made.flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, made.flow.to_server(shape))


@EVERY_PATH
def test_refused_by_the_server(rig: Rig, path: Path) -> None:
    made = proxied.pending(rig, Hook.TC, path)
    run = from_server(rig, made, Shape(flags="RA", transport={"seq": 0, "ack": AFTER, "window": 0}))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
    assert not difference(run.frame, made.telling("RA"))
    assert state_of(made.flow) == "CLOSE"


# name, ICMP error of the server's side, whether it refuses
ERRORS4 = (
    ("port unreachable", Error(UNREACHABLE, Shape()), True),
    ("host unreachable from a router", Error(ICMP(type=3, code=1), Shape(), from_router=True), True),
    ("prohibited, 8 bytes of transport", Error(ICMP(type=3, code=13), Shape(), 28, from_router=True), True),
    ("fragmentation needed", Error(ICMP(type=3, code=4, nexthopmtu=1400), Shape(), from_router=True), False),
    ("time exceeded", Error(ICMP(type=11), Shape(), from_router=True), False),
)
ERRORS6 = (
    ("port unreachable", Error(UNREACHABLE6, Shape()), True),
    ("no route from a router", Error(ICMPv6DestUnreach(code=0), Shape(), from_router=True), True),
    ("prohibited, 8 bytes of transport", Error(ICMPv6DestUnreach(code=1), Shape(), 48, from_router=True), True),
    ("too big", Error(ICMPv6PacketTooBig(mtu=1280), Shape(), from_router=True), False),
    ("time exceeded", Error(ICMPv6TimeExceeded(), Shape(), from_router=True), False),
)


@pytest.mark.parametrize(
    ("path", "error", "refuses"),
    [
        pytest.param(path, error, refuses, id=f"{name}, {which}")
        for which, path in PATHS.items()
        for name, error, refuses in (ERRORS6 if path.is_ipv6 else ERRORS4)
    ],
)
def test_unreachable(rig: Rig, path: Path, error: Error, refuses: bool) -> None:
    """An error counts if it speaks of our SYN; what does not end the attempt is dropped, as the SYN is sent again."""
    made = proxied.pending(rig, Hook.TC, path)
    other = replace(error, inner=Shape(transport={"seq": AFTER})).to_client(made.flow)[0]
    for hook in Hook:
        run = rig.run(hook, other, "back")
        assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_HANDSHAKE": 1}, other)
    ours = replace(error, inner=Shape(transport={"seq": ISN})).to_client(made.flow)[0]
    assert rig.run(Hook.XDP, ours, "back").verdicts == {"PASS_TO_TC" if refuses else "DROP_HANDSHAKE": 1}
    run = rig.run(Hook.TC, ours, "back")
    if not refuses:
        assert (run.action, run.verdicts) == (Action.DROP, {"DROP_HANDSHAKE": 1})
        assert state_of(made.flow) == "SYN_RECV"
        return
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
    assert not difference(run.frame, made.telling("RA"))
    assert state_of(made.flow) == "CLOSE"


# name, flags, what it acknowledges
STALE = (
    ("ACK of an older connection", "A", 99),
    ("SYN, ACK for another SYN", "SA", ISN),
    ("data of an older connection", "PA", 12345),
    ("FIN of an older connection", "FA", AFTER + 1),
)


@EVERY_PATH
@pytest.mark.parametrize(("flags", "ack"), [pytest.param(flags, ack, id=name) for name, flags, ack in STALE])
def test_server_has_an_older_connection(rig: Rig, path: Path, flags: str, ack: int) -> None:
    """As a client in SYN-SENT the director answers by RST (RFC 9293, 3.10.7.3), and goes on waiting."""
    made = proxied.pending(rig, Hook.TC, path)
    shape = Shape(flags=flags, transport={"seq": 5, "ack": ack}, payload=b"old" if flags == "PA" else b"")
    run = from_server(rig, made, shape)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
    assert not difference(run.frame, proxied.to_server(made.flow, proxied.own(path, "R", seq=ack, window=0)))
    assert state_of(made.flow) == "SYN_RECV"
    accepted = from_server(rig, made, made.accepting())
    assert not difference(accepted.frame, made.telling("A", 65160 >> 7))


# name, flags, what it acknowledges
UNHEARD = (
    ("RST for another segment", "RA", ISN),
    ("RST without ACK", "R", AFTER),
    ("ACK without SYN", "A", AFTER),
    ("SYN without ACK", "S", AFTER),
    ("nothing", "", AFTER),
)


@HOOKS
@BOTH
@pytest.mark.parametrize(("flags", "ack"), [pytest.param(flags, ack, id=name) for name, flags, ack in UNHEARD])
def test_server_says_nothing_to_the_point(rig: Rig, hook: Hook, path: Path, flags: str, ack: int) -> None:
    made = proxied.pending(rig, hook, path)
    arrives = made.flow.reply(Shape(flags=flags, transport={"seq": 5, "ack": ack}))
    run = rig.run(hook, arrives, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.DROP, {"DROP_HANDSHAKE": 1}, arrives)
    assert state_of(made.flow) == "SYN_RECV"


@BOTH
def test_traffic(rig: Rig, path: Path) -> None:
    """The SYN and the server's answers count, the director's own segments do not."""
    path = replace(path, virtual_port=rig.port())
    proxied.guard(rig, path)
    made = proxied.established(rig, Hook.TC, path)
    size = 40 if path.is_ipv6 else 20
    options = len(TCP(options=made.accepting().transport["options"])) - 20
    assert traffic(path) == (1, 1, 1, size + 20 + 12, size + 20 + options)


def tell(packet: Packet) -> tuple[str, int]:
    return str(packet[TCP].flags), packet[TCP].seq


@pytest.mark.usefixtures("repeats")
@pytest.mark.parametrize("path", [proxied.NAT4, proxied.FULLNAT6], ids=["NAT, IPv4", "FullNAT, IPv6"])
def test_syn_is_sent_again_until_it_is_answered(rig: Rig, path: Path) -> None:
    """After about a second, from the siding, in the same bytes; HOLD_SYN counts it."""
    proxied.guard(rig, path, repeats=True)
    before = Director().verdicts()["HOLD_SYN"]
    with captured("back") as far:
        made = proxied.pending(rig, Hook.TC, path)
        again = arrived(far, made.flow)
        assert Director().verdicts()["HOLD_SYN"] == before + 1
        assert not difference(again, made.frame)
        from_server(rig, made, made.accepting())
        assert tell(Ether(arrived(far, made.flow))) == ("A", AFTER)
        with pytest.raises(TimeoutError):  # the next one would come two seconds after the last
            arrived(far, made.flow, seconds=2.3)
    assert Director().verdicts()["HOLD_SYN"] == before + 1


def put_tries(flow: Flow, tries: int) -> None:
    """As if so many SYNs had been repeated already, and it were time for the next: struct handshake in conn.back."""
    instance = loaded()
    row, at = row_of(flow), _abi.CONN.offset("back")
    content = bytearray(instance.conns.bytes_at(row, at, 16))
    again = time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 20
    struct.pack_into("=I2xB", content, 8, again & 0xFFFFFFFF, tries)
    instance.conns.write(row, bytes(content), at)


def seconds_left(flow: Flow) -> float:
    """Until the SYN is repeated, or given up."""
    again: int
    (again,) = struct.unpack("=8xI4x", loaded().conns.bytes_at(row_of(flow), _abi.CONN.offset("back"), 16))
    return (again - (time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 20) & 0xFFFFFFFF) * (1 << 20) / 1e9


CROSSING = replace(proxied.FULLNAT6, virtual_port=82, server="10.2.0.15", local="10.2.0.211")


@pytest.mark.usefixtures("repeats")
@pytest.mark.parametrize("path", [*PATHS.values(), CROSSING], ids=[*PATHS, "FullNAT, from IPv6 to IPv4"])
def test_after_five_repetitions_the_client_is_reset(rig: Rig, path: Path) -> None:
    proxied.guard(rig, path, repeats=True)
    with captured("back") as far, captured("front") as near:
        made = proxied.pending(rig, Hook.TC, path)
        put_tries(made.flow, 4)
        assert not difference(arrived(far, made.flow), made.frame)
        until(lambda: 15 < seconds_left(made.flow) < 18, "the last wait, which ends before the connection does")
        put_tries(made.flow, 5)
        assert not difference(arrived_back(near, made.flow), made.telling("RA"))
        assert state_of(made.flow) == "CLOSE"
        with pytest.raises(TimeoutError):
            arrived(far, made.flow, seconds=0.2)


@pytest.mark.usefixtures("repeats")
def test_a_removed_server_s_client_is_reset_at_once(rig: Rig) -> None:
    """It cannot know that it waits for nobody."""
    proxied.guard(rig, proxied.NAT4, repeats=True)
    with captured("front") as near:
        made = proxied.pending(rig, Hook.TC, proxied.NAT4)
        with rig.change() as table:
            table.delete_server(made.path.key, made.path.row[1].address, made.path.server_port)
        assert not difference(arrived_back(near, made.flow, seconds=0.5), made.telling("RA"))


def is_cookie(frame: bytes) -> bool:
    return bool(Ether(frame)[TCP].flags.S)


@pytest.mark.usefixtures("repeats")
def test_a_refusal_is_told_twice(rig: Rig) -> None:
    """The second time after 0.8 s: a client that waits for the server's first word hears of nothing else."""
    proxied.guard(rig, *PATHS.values(), repeats=True)
    refusal = Shape(flags="RA", transport={"seq": 0, "ack": AFTER, "window": 0})
    with ExitStack() as stack:
        refused = [
            (proxied.pending(rig, Hook.TC, path), stack.enter_context(captured("front"))) for path in PATHS.values()
        ]
        for made, _ in refused:
            run = rig.run(Hook.TC, made.flow.reply(refusal), "back")
            assert not difference(run.frame, made.telling("RA"))
        for made, near in refused:
            again = arrived_back(near, made.flow)
            while is_cookie(again):  # on a busy machine one may be on its way still
                again = arrived_back(near, made.flow)
            assert not difference(again, made.telling("RA"))
        made, near = refused[0]
        with pytest.raises(TimeoutError):
            arrived_back(near, made.flow, seconds=1)
