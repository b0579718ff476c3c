# SPDX-License-Identifier: GPL-2.0-or-later
"""toa.h: FullNAT's servers are told the client's address by a TCP option, until they have accepted the connection.

As kernel modules read it: kind 254 with port and IPv4 address, 253 with port and IPv6 address.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from time import monotonic_ns
from typing import Any

import pytest
from scapy.layers.inet import ICMP, TCP, IPOption_NOP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN
from scapy.layers.l2 import Ether

from bpvs.model import Method
from tests.packets.errors import LONG, UNREACHABLE, UNREACHABLE6, Error
from tests.packets.frames import CLIENT, CLIENT6, Path, Shape, alone, difference, opened, told
from tests.packets.listing import row_of, traffic
from tests.packets.rig import NARROW_MTU, Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.170", 80, "10.2.0.14", 8080, method=Method.FULLNAT, local="10.2.0.201")
TCP6 = Path(CLIENT6, "fd00::170", 80, "fd02::14", 8080, method=Method.FULLNAT, local="fd02::201")
NARROW = replace(TCP4, virtual_port=81, server="10.3.0.14", link=3)
NARROW6 = replace(TCP6, virtual_port=81, server="fd03::14", link=3)
NAT = replace(TCP4, virtual_port=82, method=Method.NAT, local="")
PATHS = {"IPv4": TCP4, "IPv6": TCP6}
HOOKS = pytest.mark.parametrize("hook", Hook)
BOTH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)

TIMES = [("NOP", None), ("NOP", None), ("Timestamp", (3, 4))]
SACK = [("NOP", None), ("NOP", None), ("SAck", (1, 2, 3, 4))]
OFFER = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    paths = (TCP4, TCP6, NARROW, NARROW6, NAT)
    rig.serve(*(path.row for path in paths), locals_=[local for path in paths for local in path.locals])


def options(*listed: Any) -> dict[str, Any]:
    return {"options": list(listed)}


# name, segment
SEGMENTS = (
    ("ACK", Shape(flags="A")),
    ("data", Shape(flags="PA", payload=b"GET / HTTP/1.0\r\n\r\n")),
    ("odd data", Shape(flags="PA", payload=b"odd")),
    ("1200 bytes of data", Shape(flags="A", payload=bytes(range(240)) * 5)),
    ("FIN", Shape(flags="FA")),
    ("urgent", Shape(flags="UA", payload=b"!", transport={"urgptr": 1})),
    ("time stamps", Shape(flags="A", transport=options(*TIMES))),
    ("selective acknowledgement", Shape(flags="A", transport=options(*SACK), payload=b"x")),
    ("list of options with an end", Shape(flags="A", transport=options(("Timestamp", (3, 4)), ("EOL", None)))),
    ("padding of Ethernet", Shape(flags="A", padding=b"\0\1\2\3\4\5")),
    ("last but one hop", Shape(flags="A", ttl=2)),
)
OF_IPV4 = (
    ("IP options", Shape(flags="A", ip={"options": [IPOption_NOP()] * 40}, payload=b"x")),
    ("TCP options of 32 bytes", Shape(flags="A", transport=options((100, bytes(30))))),
)
OF_IPV6 = (
    ("extension header", Shape(flags="A", extensions=IPv6ExtHdrHopByHop(), payload=b"x")),
    ("TCP options of 20 bytes", Shape(flags="A", transport=options((100, bytes(18))))),
    ("64 bytes of extensions", Shape(flags="A", extensions=IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(60))]))),
)
ROWS = [
    pytest.param(path, shape, id=f"{name}, {which}")
    for which, path in PATHS.items()
    for name, shape in (*SEGMENTS, *(OF_IPV6 if path.is_ipv6 else OF_IPV4))
]


@HOOKS
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_client_s_segments_tell_it(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = opened(rig, hook, path)
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))
    assert flow.toa in Ether(run.frame)[TCP].options


@HOOKS
@BOTH
def test_until_the_server_has_answered(rig: Rig, hook: Hook, path: Path) -> None:
    """Its SYN, ACK is not the answer yet: only the handshake's third segment brings the option."""
    flow = opened(rig, hook, path)
    ack = Shape(flags="A")
    rig.run_uncounted(hook, flow.reply(Shape(flags="SA")), "back")
    for _ in range(2):
        assert not difference(rig.run(hook, flow.request(ack)).frame, flow.to_server(ack))
    flow = told(rig, hook, flow)
    for _ in range(2):
        assert not difference(rig.run(hook, flow.request(ack)).frame, flow.to_server(ack))


@HOOKS
@BOTH
@pytest.mark.parametrize("last", ["RA", "A"], ids=["RST of the server", "ACK of an older connection"])
def test_a_connection_that_is_reused_tells_again(rig: Rig, hook: Hook, path: Path, last: str) -> None:
    """Where it keeps its row: conn_reuse_mode 0, or a persistent service. The server's new socket knows nobody."""
    ack, answer = Shape(flags="A"), Shape(flags="SA", transport=options(*OFFER))
    with rig.sysctls(conn_reuse_mode=0):
        flow = opened(rig, hook, path)
        rig.run_uncounted(hook, flow.reply(Shape(flags=last)), "back")
        assert not difference(rig.run(hook, flow.request(Shape())).frame, flow.to_server(Shape()))
        assert not difference(rig.run(hook, flow.reply(answer), "back").frame, flow.to_client(answer))
        assert not difference(rig.run(hook, flow.request(ack)).frame, flow.to_server(ack))


# name, segment that does not tell, though the server does not know
SILENT = (
    ("SYN", Shape()),
    ("SYN with a flag", Shape(flags="SE")),
    ("RST", Shape(flags="R")),
    ("RST, ACK", Shape(flags="RA")),
)


@HOOKS
@BOTH
@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in SILENT])
def test_segments_that_do_not_tell(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = opened(rig, hook, path)
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))


@HOOKS
@pytest.mark.parametrize(("path", "own"), [(TCP4, 34), (TCP4, 38), (TCP6, 22), (TCP6, 38)])
def test_options_that_leave_no_room_give_way(rig: Rig, hook: Hook, path: Path, own: int) -> None:
    """A TCP header ends at 60 bytes. What a client fills it with hides nobody."""
    flow = opened(rig, hook, path)
    shape = Shape(flags="A", transport=options((100, bytes(range(own)))), payload=b"full")
    there = options(flow.toa, *[("NOP", None)] * (own - len(flow.toa[1])))
    told_instead = replace(flow, is_told=True).to_server(replace(shape, transport=there))
    assert not difference(rig.run(hook, flow.request(shape)).frame, told_instead)


SHORT, LONG_ONES = (254, bytes.fromhex("04d2c0000201")), ((254, bytes(18)), (253, bytes(17) + b"\1"))
FORGED = (
    *product((TCP4,), (SHORT, *LONG_ONES), (0, 1, 2)),
    *product((TCP6,), (SHORT,), (0, 1, 2)),
    *product((TCP6,), LONG_ONES, (0,)),
)


@HOOKS
@pytest.mark.parametrize(("path", "forged", "before"), FORGED)
def test_what_a_client_says_of_itself_is_taken_out(
    rig: Rig, hook: Hook, path: Path, forged: tuple[int, bytes], before: int
) -> None:
    """The server would believe it. In fragments too, where TOA has no room."""
    flow = opened(rig, hook, path)
    room = [("NOP", None)] * before
    shape = Shape(flags="A", transport=options(*room, forged), payload=b"odd")
    clean = replace(shape, transport=options(*room, *[("NOP", None)] * (len(forged[1]) + 2)))
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(clean))
    part = {"flags": "MF"}
    if not path.is_ipv6:
        shape, clean = replace(shape, ip=part, payload=bytes(8)), replace(clean, ip=part, payload=bytes(8))
        untold = replace(flow, is_told=True)
        assert not difference(rig.run(hook, flow.request(shape)).frame, untold.to_server(clean))


@HOOKS
@BOTH
def test_a_server_that_has_not_accepted_does_not_know(rig: Rig, hook: Hook, path: Path) -> None:
    """It answers segments that are none of the handshake with ACK or RST. Then the handshake's own ACK comes."""
    flow, ack = opened(rig, hook, path), Shape(flags="A")
    rig.run_uncounted(hook, flow.reply(Shape(flags="SA", transport={"ack": 1001})), "back")
    for early in (Shape(flags="A", transport={"ack": 1001}), Shape(flags="R"), Shape(flags="RA", transport={"ack": 7})):
        rig.run_uncounted(hook, flow.reply(early), "back")
        assert not difference(rig.run(hook, flow.request(ack)).frame, flow.to_server(ack))


ACCEPTED = (
    ("ACK for data", Shape(flags="A", transport={"ack": 1002})),
    ("data", Shape(flags="A", transport={"ack": 1001}, payload=b"welcome")),
    ("its end", Shape(flags="FA", transport={"ack": 1001})),
)


@HOOKS
@BOTH
@pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in ACCEPTED])
def test_a_server_that_has_accepted_knows(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow, ack = opened(rig, hook, path), Shape(flags="A")
    rig.run_uncounted(hook, flow.reply(Shape(flags="SA", transport={"ack": 1001})), "back")
    rig.run_uncounted(hook, flow.reply(shape), "back")
    assert not difference(rig.run(hook, flow.request(ack)).frame, replace(flow, is_told=True).to_server(ack))


@HOOKS
@BOTH
@pytest.mark.parametrize("cookie", [b"", bytes(range(8)), bytes(range(16))], ids=len)
def test_fast_open_waits(rig: Rig, hook: Hook, path: Path, cookie: bytes) -> None:
    """The server would take a SYN's data, and accept, before it could be told. It may hand out cookies."""
    flow = opened(rig, hook, path)
    asking = Shape(transport=options(*OFFER, (34, cookie)))
    assert not difference(rig.run(hook, flow.request(asking)).frame, flow.to_server(asking))
    shape = replace(asking, payload=b"GET")
    plain = replace(shape, transport=options(*OFFER, *[("NOP", None)] * (len(cookie) + 2)))
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(plain))


@HOOKS
@pytest.mark.parametrize("path", [NARROW, NARROW6], ids=PATHS)
def test_no_room_on_the_way(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    most = NARROW_MTU - (60 if path.is_ipv6 else 40)
    size = len(flow.toa[1]) + 2
    fits, full = (Shape(flags="A", payload=bytes(length)) for length in (most - size, most - size + 1))
    assert not difference(rig.run(hook, flow.request(fits)).frame, flow.to_server(fits))
    assert not difference(rig.run(hook, flow.request(full)).frame, replace(flow, is_told=True).to_server(full))


PATH_MTU = 1000
TOO_BIG, TOO_BIG6 = ICMP(type=3, code=4, nexthopmtu=PATH_MTU), ICMPv6PacketTooBig(mtu=PATH_MTU)


@HOOKS
@BOTH
def test_no_room_on_a_way_that_a_router_told_of(rig: Rig, hook: Hook, path: Path) -> None:
    """Its client sends what fits that MTU, and TOA makes it longer: else the router would tell the same for ever."""
    path = alone(rig, path)
    flow, other = opened(rig, hook, path), opened(rig, hook, path)
    most = PATH_MTU - (60 if path.is_ipv6 else 40) - len(flow.toa[1]) - 2
    fits, full = (Shape(flags="A", payload=bytes(length)) for length in (most, most + 1))
    untold = replace(other, is_told=True)
    assert not difference(rig.run(hook, other.request(full)).frame, other.to_server(full))
    error = Error(TOO_BIG6 if path.is_ipv6 else TOO_BIG, LONG, from_router=True)
    assert rig.run(hook, error.to_client(flow)[0], "back").is_forwarded
    assert not difference(rig.run(hook, other.request(full)).frame, untold.to_server(full))
    assert not difference(rig.run(hook, other.request(fits)).frame, other.to_server(fits))
    dests = loaded().dests
    dests.store(loaded().conns.load(row_of(flow), "dest"), "path_mtu_until", ((monotonic_ns() >> 20) - 1000) % 2**32)
    assert not difference(rig.run(hook, other.request(full)).frame, other.to_server(full))


@HOOKS
@pytest.mark.parametrize("length", [80, 96, 136, 144, 200, 256])
def test_long_chains_of_extension_headers_stay_whole(rig: Rig, hook: Hook, length: int) -> None:
    """Whether such a packet tells or not: what leaves is what came in, or that with the option."""
    flow = opened(rig, hook, TCP6)
    extensions = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(length - 4))])
    shape = Shape(flags="A", extensions=extensions, payload=b"whole")
    left = rig.run(hook, flow.request(shape)).frame
    assert left in (flow.to_server(shape), replace(flow, is_told=True).to_server(shape))


@HOOKS
@BOTH
@pytest.mark.parametrize("offer", [OFFER, [("NOP", None), *OFFER], [("MSS", 9000)], [("NOP", None)] * 4, []])
def test_server_s_offer_leaves_room_for_it(rig: Rig, hook: Hook, path: Path, offer: list[Any]) -> None:
    """Its maximum segment size is lowered, wherever the option lies; first to what the client's link takes."""
    flow = opened(rig, hook, path)
    shape = Shape(flags="SA", transport=options(*offer))
    assert not difference(rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape))


@HOOKS
@BOTH
def test_error_about_a_reply_does_not_grow(rig: Rig, hook: Hook, path: Path) -> None:
    flow = opened(rig, hook, path)
    arrives, leaves = Error(UNREACHABLE6 if path.is_ipv6 else UNREACHABLE, LONG).to_server(flow)
    assert not difference(rig.run(hook, arrives).frame, leaves)


@HOOKS
@BOTH
def test_what_the_client_sent_is_counted(rig: Rig, hook: Hook, path: Path) -> None:
    """As the client's packets came in."""
    flow, before = opened(rig, hook, path), traffic(path)[3]
    rig.run_uncounted(hook, flow.request(Shape(flags="A", payload=b"seven .")))
    assert traffic(path)[3] - before == (60 if path.is_ipv6 else 40) + 7


@HOOKS
def test_nat_tells_nothing(rig: Rig, hook: Hook) -> None:
    flow = opened(rig, hook, NAT)
    shape = Shape(flags="A", payload=b"from the client itself")
    assert not difference(rig.run(hook, flow.request(shape)).frame, flow.to_server(shape))
