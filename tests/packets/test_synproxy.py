# SPDX-License-Identifier: GPL-2.0-or-later
"""synproxy.h, segment.h, tcp_option.h: a client has to answer a cookie before anything is remembered of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, TCP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether

from bpvs.lab.wait import until
from bpvs.model import Address, ServiceKey, Table, VirtualService
from tests.packets import proxied
from tests.packets.cookies import Offer, is_genuine, renew, secrets
from tests.packets.errors import answer
from tests.packets.frames import Flow, Path, Shape, difference
from tests.packets.listing import connection_of, counts, put_into, state_of
from tests.packets.proxied import ISN, PATHS, Proxied
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

HOOKS = pytest.mark.parametrize("hook", Hook)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
BOTH = pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
SENT = {Hook.TC: Action.REDIRECT, Hook.XDP: Action.TX}
NONE = Offer(None, None, sack=False)


@pytest.fixture(autouse=True)
def _guarded(rig: Rig) -> None:
    proxied.guard(rig, *PATHS.values())


def options(*listed: Any) -> dict[str, Any]:
    return {"options": list(listed)}


def raw_options(content: str) -> dict[str, Any]:
    """Options byte by byte, a multiple of 4, as the tail of a header that scapy believes to have none."""
    return {"dataofs": 5 + len(bytes.fromhex(content)) // 4}


# name, options of the SYN, what they offer
OFFERS: tuple[tuple[str, list[Any], Offer], ...] = (
    ("Linux", [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)], Offer()),
    ("none", [], NONE),
    ("size alone", [("MSS", 1460)], Offer(1460, None, sack=False)),
    ("scale alone", [("WScale", 3)], Offer(None, 3, sack=False)),
    ("selective acknowledgement alone, at the very end", [("NOP", None), ("NOP", None), ("SAckOK", b"")],
     Offer(None, None)),
    ("no scaling, but of the other side", [("MSS", 1460), ("WScale", 0)], Offer(1460, 0, sack=False)),
    ("scale above what there is", [("MSS", 1460), ("WScale", 15)], Offer(1460, 14, sack=False)),
    ("size 0", [("MSS", 0)], Offer(0, None, sack=False)),
    ("size below all", [("MSS", 535)], Offer(535, None, sack=False)),
    ("size between two", [("MSS", 1459)], Offer(1459, None, sack=False)),
    ("jumbo frames", [("MSS", 65535)], Offer(65535, None, sack=False)),
    ("40 bytes, the last three count", [("NOP", None)] * 37 + [("WScale", 9)], Offer(None, 9, sack=False)),
    ("in another order", [("WScale", 2), ("SAckOK", b""), ("NOP", None), ("MSS", 1300)], Offer(1300, 2)),
    ("behind the end", [("EOL", None), ("MSS", 1460), ("SAckOK", b"")], NONE),
    ("an unknown one before", [(77, b"odd"), ("MSS", 1400)], Offer(1400, None, sack=False)),
)  # fmt: skip
# name, 4n bytes of options, what they offer
ODD_OPTIONS = (
    ("size of 3 bytes", "020305b4", NONE),
    ("size of 5 bytes", "020505b400010101", NONE),
    ("scale of 4 bytes", "03040700", NONE),
    ("length 0", "0200020405b40101", NONE),
    ("length 1", "0801020405b40101", NONE),
    ("length beyond the header", "0101010101010102", NONE),
    ("longer than the header", "022805b4", NONE),
    ("scale cut off by the header's end", "020405b401010303", Offer(1460, None, sack=False)),
    ("permission of 3 bytes", "04030001", NONE),
)


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize(("listed", "offer"), [pytest.param(listed, offer, id=name) for name, listed, offer in OFFERS])
def test_syn_is_answered_with_a_cookie(rig: Rig, hook: Hook, path: Path, listed: list[Any], offer: Offer) -> None:
    flow = Flow(path, rig.port())
    shape = Shape(transport={"seq": ISN, **options(*listed)})
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (SENT[hook], {"ANSWER_COOKIE": 1})
    cookie = Ether(run.frame)[TCP].seq
    assert not difference(run.frame, proxied.greeting(flow, offer, cookie))
    assert is_genuine(flow, ISN, offer.kept(path.is_ipv6), cookie)
    assert connection_of(flow) is None


@HOOKS
@BOTH
@pytest.mark.parametrize(
    ("listed", "offer"), [pytest.param(listed, offer, id=name) for name, listed, offer in ODD_OPTIONS]
)
def test_odd_options_offer_nothing(rig: Rig, hook: Hook, path: Path, listed: str, offer: Offer) -> None:
    """What the header's length makes of the bytes behind its fixed part; the bytes themselves stand as payload here."""
    flow = Flow(path, rig.port())
    shape = Shape(transport={"seq": ISN, **raw_options(listed)}, payload=bytes.fromhex(listed) + b"\x06\xff\xff")
    run = rig.run(hook, flow.request(shape))
    assert not difference(run.frame, proxied.greeting(flow, offer, Ether(run.frame)[TCP].seq))
    assert is_genuine(flow, ISN, offer.kept(path.is_ipv6), Ether(run.frame)[TCP].seq)


# name, for IPv6, the SYN
DRESSED = (
    ("payload of fast open", None, Shape(payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("payload of 1200 bytes", None, Shape(payload=bytes(1200))),
    ("padding of Ethernet", None, Shape(padding=b"\1\2\3\4\5\6")),
    ("congestion notification", None, Shape(flags="SEC")),
    ("push and urgent", None, Shape(flags="SPU", transport={"urgptr": 1}, payload=b"!")),
    ("last hop", None, Shape(ttl=1)),
    ("IP options", False, Shape(ip={"options": [IPOption_NOP()] * 40})),
    ("TOS, ID, no DF", False, Shape(ip={"tos": 0xB9, "id": 7})),
    ("class and flow label", True, Shape(ip={"tc": 0xB9, "fl": 0xFFFFF})),
    ("extension headers", True, Shape(extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt())),
)


@HOOKS
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        pytest.param(path, shape, id=f"{name}, {which}")
        for name, is_ipv6, shape in DRESSED
        for which, path in PATHS.items()
        if is_ipv6 in (None, path.is_ipv6)
    ],
)
def test_answer_is_bare_whatever_came(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    shape = replace(shape, transport={"seq": ISN, "options": Offer().options, **shape.transport})
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (SENT[hook], {"ANSWER_COOKIE": 1})
    assert not difference(run.frame, proxied.greeting(flow, Offer(), Ether(run.frame)[TCP].seq))


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize(("listed", "offer"), [pytest.param(row[1], row[2], id=row[0]) for row in OFFERS[:6]])
def test_ack_becomes_the_syn(rig: Rig, hook: Hook, path: Path, listed: list[Any], offer: Offer) -> None:
    """XDP leaves it to TC as it came. The server is offered what the client offered."""
    made = proxied.pending(rig, hook, path, offer)
    kept = offer.kept(path.is_ipv6)
    window = 0xFFFF if offer.scale is not None else 502
    shape = proxied.own(path, "S", seq=ISN, window=window, options=kept.own_options)
    assert not difference(made.frame, made.flow.to_server(shape))
    assert state_of(made.flow) == "SYN_RECV"


# name, what is otherwise in the ACK
ACKS = (
    ("probe of the closed window", Shape(flags="A", transport={"seq": ISN})),
    ("probe with a byte", Shape(flags="A", payload=b"G")),
    ("data", Shape(flags="PA", payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("time stamps", Shape(flags="A", transport=options(("Timestamp", (3, 4))))),
    ("padding of Ethernet", Shape(flags="A", padding=b"\0\1\2\3\4\5")),
)


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in ACKS])
def test_what_else_brings_the_cookie(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    made = Proxied(flow, Offer(), proxied.greeted(rig, hook, flow, Offer()), b"")
    arrives = flow.request(replace(shape, transport={**made.ack().transport, **shape.transport}))
    early = rig.run(Hook.XDP, arrives)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    assert connection_of(flow) is None
    late = rig.run(Hook.TC, arrives)
    assert (late.action, late.verdicts) == (Action.REDIRECT, {})
    if not path.local:
        syn = proxied.own(path, "S", seq=ISN, window=0xFFFF, options=Offer().own_options)
        assert not difference(late.frame, flow.to_server(syn))


def refused(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    """A segment without a cookie of ours: RST (RFC 9293, 3.10.7.2), and no connection."""
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (SENT[hook], {"ANSWER_RESET": 1})
    expected = proxied.own(flow.path, "R", seq=shape.transport["ack"], window=0)
    assert not difference(run.frame, proxied.to_client(flow, expected))
    assert connection_of(flow) is None


@HOOKS
@EVERY_PATH
def test_wrong_numbers_are_refused(rig: Rig, hook: Hook, path: Path) -> None:
    flow = Flow(path, rig.port())
    made = Proxied(flow, Offer(), proxied.greeted(rig, hook, flow, Offer()), b"")
    right = made.ack()
    for bit in range(32):
        refused(rig, hook, flow, made.ack(ack=((made.cookie ^ 1 << bit) + 1) % 2**32))
    for seq in (ISN - 1, ISN + 2, 0, 1):
        refused(rig, hook, flow, made.ack(seq=seq))
    other = "fd00::181" if path.is_ipv6 else "10.0.0.181"
    strangers = (
        replace(flow, port=rig.port()),
        replace(flow, path=replace(path, client="fd01::3" if path.is_ipv6 else "10.1.0.3")),
    )
    for stranger in strangers:
        refused_by(rig, hook, stranger, right)
    proxied.guard(rig, path, replace(path, virtual=other), replace(path, virtual_port=82))
    for elsewhere in (replace(path, virtual=other), replace(path, virtual_port=82)):
        refused(rig, hook, Flow(elsewhere, flow.port), right)
    assert rig.run(Hook.TC, flow.request(right)).verdicts == {}


def refused_by(rig: Rig, hook: Hook, flow: Flow, shape: Shape) -> None:
    """As refused(), for a client with another MAC address than the table's."""
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (SENT[hook], {"ANSWER_RESET": 1})


@HOOKS
@EVERY_PATH
def test_cookie_holds_for_one_renewal(rig: Rig, hook: Hook, path: Path) -> None:
    first, second = (Flow(path, rig.port()) for _ in range(2))
    made = [Proxied(flow, Offer(), proxied.greeted(rig, hook, flow, Offer()), b"") for flow in (first, second)]
    renew(os.urandom(16))
    assert rig.run(Hook.TC, first.request(made[0].ack())).verdicts == {}
    fresh = Flow(path, rig.port())
    assert is_genuine(fresh, ISN, Offer(), proxied.greeted(rig, hook, fresh, Offer()))
    renew(os.urandom(16))
    refused(rig, hook, second, made[1].ack())


def test_the_older_secret_is_renewed_every_minute(rig: Rig) -> None:
    """By the housekeeper, whose time is moved on. The other secret stays, for cookies that are on their way."""
    runtime = loaded().runtime
    seen = set(secrets())
    for _ in range(3):
        before, age = secrets(), runtime.load(0, "secret_age")
        asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 20
        runtime.store(0, "renew_at", asked & 0xFFFFFFFF)
        until(lambda: runtime.load(0, "secret_age") == age + 1, "a new secret", 3)  # noqa: B023
        after, fresh = secrets(), (age + 1) % 2
        assert after[not fresh] == before[not fresh]
        assert after[fresh] not in seen
        seen.add(after[fresh])
        wait = (runtime.load(0, "renew_at") - asked & 0xFFFFFFFF) * (1 << 20) / 1e9
        assert 59.9 < wait < 63
    flow = Flow(proxied.NAT4, rig.port())
    assert is_genuine(flow, ISN, Offer(), proxied.greeted(rig, Hook.TC, flow, Offer()))


@HOOKS
@BOTH
def test_resets_are_limited(rig: Rig, hook: Hook, path: Path) -> None:
    arrives = Flow(path, rig.port()).request(Shape(flags="A", transport={"seq": 1, "ack": 2}))
    actions = [rig.run_uncounted(hook, arrives)[0] for _ in range(2500)]
    assert Action.DROP in actions
    assert SENT[hook] in actions
    until(lambda: rig.run_uncounted(hook, arrives)[0] is SENT[hook], "answers in the next second", 3)


# name, segment to a guarded service that has no connection
OTHERS = (
    ("SYN, ACK", "SA"),
    ("RST", "R"),
    ("RST, ACK", "RA"),
    ("FIN, ACK", "FA"),
    ("SYN, FIN", "SF"),
    ("nothing", ""),
    ("PSH", "P"),
)


@HOOKS
@BOTH
@pytest.mark.parametrize("flags", [pytest.param(flags, id=name) for name, flags in OTHERS])
def test_other_segments_pass(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    arrives = Flow(path, rig.port()).request(Shape(flags=flags))
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, arrives)


@HOOKS
@BOTH
@pytest.mark.parametrize("flags", ["S", "A"])
def test_sources_that_nobody_has(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    for client in ("ff02::1", "::1") if path.is_ipv6 else ("224.0.0.1", "127.0.0.1", "255.255.255.255"):
        arrives = Flow(replace(path, client=client), rig.port()).request(Shape(flags=flags))
        run = rig.run(hook, arrives)
        assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_MARTIAN": 1}, arrives)


@HOOKS
@BOTH
@pytest.mark.parametrize("flags", ["S", "A"])
def test_port_of_ftp_data_gets_no_cookie(rig: Rig, hook: Hook, path: Path, flags: str) -> None:
    """As without SYNPROXY it opens nothing."""
    arrives = Flow(path, 20).request(Shape(flags=flags))
    run = rig.run(hook, arrives)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_CONNECTION": 1}, arrives)


@BOTH
def test_without_a_server_there_is_no_cookie(rig: Rig, path: Path) -> None:
    proxied.guard(rig, path)
    with rig.change() as table:
        table.edit_server(path.key, replace(path.row[1], weight=0))
    arrives = Flow(path, rig.port()).request(Shape())
    early = rig.run(Hook.XDP, arrives)
    assert (early.action, early.verdicts, early.frame) == (Action.PASS, {"PASS_TO_TC": 1}, arrives)
    late = rig.run(Hook.TC, arrives)
    assert (late.action, late.verdicts) == (Action.REDIRECT, {"DROP_NO_SERVER": 1})
    error = ICMPv6DestUnreach(code=4) if path.is_ipv6 else ICMP(type=3, code=3)
    assert not difference(late.frame, answer(arrives, error))


def without_weight(table: Table, path: Path) -> None:
    table.edit_server(path.key, replace(path.row[1], weight=0))


def without_way(table: Table, path: Path) -> None:
    table.delete_server(path.key, path.row[1].address, path.row[1].port)
    blackhole = Address.parse("fd07::15" if path.is_ipv6 else "10.7.0.15")
    table.add_server(path.key, replace(path.row[1], address=blackhole))


def without_local_address(table: Table, path: Path) -> None:
    for _, address in path.locals:
        table.delete_local(path.key, address)


# name, what becomes of the service between the cookie and its return, the reason that is counted
TOO_LATE = (
    ("no weight left", without_weight, "DROP_NO_SERVER", PATHS),
    ("no way to the server", without_way, "DROP_NO_ROUTE", PATHS),
    ("no local address", without_local_address, "DROP_NO_LOCAL_ADDRESS", ["FullNAT, IPv4", "FullNAT, IPv6"]),
)


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        pytest.param(PATHS[which], change, reason, id=f"{name}, {which}")
        for name, change, reason, paths in TOO_LATE
        for which in paths
    ],
)
def test_a_proven_client_that_gets_no_server_is_reset(
    rig: Rig, path: Path, change: Callable[[Table, Path], None], reason: str
) -> None:
    """It is connected, and would not believe an ICMP error about a SYN."""
    flow = Flow(path, rig.port())
    made = Proxied(flow, Offer(), proxied.greeted(rig, Hook.TC, flow, Offer()), b"")
    with rig.change() as table:
        change(table, path)
    run = rig.run(Hook.TC, flow.request(made.ack()))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {reason: 1})
    expected = proxied.own(path, "R", seq=(made.cookie + 1) % 2**32, window=0)
    assert not difference(run.frame, proxied.to_client(flow, expected))


def test_a_proven_client_of_a_marked_service_does_not_bypass_it(rig: Rig) -> None:
    """What goes past the service (cache_bypass) begins with the client's own SYN, not with one that has a cookie."""
    path = replace(proxied.NAT4, virtual="10.2.0.16", virtual_port=rig.port())
    key, mark = ServiceKey.marked(7), 7
    with rig.sysctls(cache_bypass=1), rig.change() as table:
        table.clear()
        table.add_service(VirtualService(key, "rr", synproxy=True))
        table.add_server(key, path.row[1])
    flow = Flow(path, rig.port())
    greeting = rig.run(Hook.TC, flow.request(proxied.offering(Offer())), mark=mark)
    made = Proxied(flow, Offer(), Ether(greeting.frame)[TCP].seq, b"")
    with rig.sysctls(cache_bypass=1):
        with rig.change() as table:
            table.edit_server(key, replace(path.row[1], weight=0))
        run = rig.run(Hook.TC, flow.request(made.ack()), mark=mark)
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"DROP_NO_SERVER": 1})
    expected = proxied.own(path, "R", seq=(made.cookie + 1) % 2**32, window=0)
    assert not difference(run.frame, proxied.to_client(flow, expected))


@BOTH
def test_client_on_the_director_is_not_asked(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    run = rig.run(Hook.TC, flow.request(proxied.offering(Offer())), "lo")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(proxied.offering(Offer())))


@HOOKS
@EVERY_PATH
@pytest.mark.parametrize("state", ["TIME_WAIT", "CLOSE"])
def test_connection_that_is_over_makes_room(rig: Rig, hook: Hook, path: Path, state: str) -> None:
    """A SYN gets a new cookie, and both that and an ACK with a cookie end the old connection."""
    made = proxied.established(rig, hook, path)
    put_into(made.flow, state)
    cookie = proxied.greeted(rig, hook, made.flow, Offer(), isn=77)
    assert connection_of(made.flow) is None
    again = replace(made, cookie=cookie, isn=77)
    assert rig.run(Hook.TC, made.flow.request(again.ack())).verdicts == {}
    assert state_of(made.flow) == "SYN_RECV"
    put_into(made.flow, state)
    renewed = rig.run(Hook.TC, made.flow.request(again.ack()))
    assert (renewed.action, renewed.verdicts) == (Action.REDIRECT, {})
    assert Ether(renewed.frame)[TCP].flags == "S"
    assert state_of(made.flow) == "SYN_RECV"


@BOTH
def test_so_does_one_whose_server_was_removed(rig: Rig, path: Path) -> None:
    made = proxied.established(rig, Hook.TC, path)
    key, server = path.row
    with rig.change() as table:
        table.add_server(key, replace(server, address=Address.parse("fd02::12" if path.is_ipv6 else "10.2.0.12")))
        table.delete_server(key, server.address, server.port)
    proxied.greeted(rig, Hook.TC, made.flow, Offer(), isn=77)
    assert connection_of(made.flow) is None


@HOOKS
@BOTH
def test_only_the_proven_client_is_counted(rig: Rig, hook: Hook, path: Path) -> None:
    path = replace(path, virtual_port=rig.port())
    proxied.guard(rig, path)
    flow = Flow(path, rig.port())
    made = Proxied(flow, Offer(), proxied.greeted(rig, hook, flow, Offer()), b"")
    assert counts(path) == (0, 0)
    rig.run(Hook.TC, flow.request(made.ack()))
    assert counts(path) == (1, 0)
