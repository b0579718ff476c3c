# SPDX-License-Identifier: GPL-2.0-or-later
"""What a connection has besides whole packets: fragments, IP options, ICMP errors about replies past the director."""

from __future__ import annotations

import struct
from functools import partial
from itertools import pairwise

from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add, scenario
from tests.oracle.stage import EXT, INT, ROUTER, Sending, Sighting, server_mac
from tests.oracle.wire import Packet

_FRAGMENT_HEADER = 44
_PLACES = (0, 1000, 1608)
_MORE_4, _MORE_6 = 0x2000, 1
_DATA = bytes(place % 251 for place in range(2300))


def cut(source: str, target: str, body: bytes, ident: int) -> list[bytes]:
    """A datagram in three fragments."""
    pieces = []
    for begin, end in pairwise((*_PLACES, len(body))):
        more = end < len(body)
        if ":" in source:
            head = struct.pack("!BBHI", wire.UDP, 0, begin | (_MORE_6 if more else 0), ident)
            pieces.append(wire.ip(source, target, _FRAGMENT_HEADER, head + body[begin:end]))
            continue
        whole = wire.ip(source, target, wire.UDP, body[begin:end], df=False)
        head = whole[:4] + struct.pack("!HH", ident, begin // 8 | (_MORE_4 if more else 0)) + whole[8:10]
        total = struct.pack("!H", wire.internet_sum(head + bytes(2) + whole[12:20]))
        pieces.append(head + total + whole[12:])
    return pieces


def joined(packets: list[Packet]) -> list[Packet]:
    """Whole packets out of fragments; tunnels are taken off, whose outer or inner packet may be in fragments."""
    whole = [_head(packets)] if packets and _offset(packets[0]) is not None else packets
    inner = [one.inner() for one in whole]
    return joined([one for one in inner if one]) if all(inner) and inner else whole


def _offset(packet: Packet) -> int | None:
    """Where a fragment's bytes belong; None of a whole packet."""
    if packet.six:
        return struct.unpack_from("!H", packet.body, 2)[0] & 0xFFF8 if packet.protocol == _FRAGMENT_HEADER else None
    return (packet.fragment & 0x1FFF) * 8 if packet.fragment else None


def _head(packets: list[Packet]) -> Packet:
    """The packet that these fragments are of."""
    parts = sorted(packets, key=lambda one: _offset(one) or 0)
    start = 8 if parts[0].six else 0
    body = b"".join(one.body[start:] for one in parts)
    protocol = parts[0].body[0] if parts[0].six else parts[0].protocol
    return Packet(wire.ip(parts[0].source, parts[0].target, protocol, body, parts[0].ttl))


def told(play: Play, seen: list[Sighting]) -> str:
    """Where a datagram went, and whether all of it did; in how many pieces is not told."""
    whole = joined([one.packet for one in seen])
    place = {play.station(one) if one.wire == INT else "out" for one in seen}
    is_right = len(whole) == 1 and whole[0].sum_is_right() and whole[0].body[8:] == _DATA
    return f"{sorted(place)} {whole[0].told(play.name, ttl=True) if whole else 'nothing'} whole: {is_right}"


def fragments(play: Play, six: bool) -> None:
    """In order: of others, those that BPVS holds come when the echo behind them is back already."""
    v, s = ("Vv6", "v6") if six else ("V", "")
    play.service(f"-u {v}:53", "-s rr", (f"S1{s}:5353 -m", f"S2{s}:53 -g", f"S3{s}:53 -i"))
    for number in range(3):
        flow = Flow(play, 2 + number, 40000, 53, six=six, kind="udp")
        body = wire.udp(flow.client, flow.vip, (flow.port, flow.virtual), _DATA)
        pieces = cut(flow.client, flow.vip, body, 0x100 + number)
        play.say(f"request: {told(play, play.stage.send([Sending(EXT, one, ROUTER) for one in pieces]))}")
        flow.ask("x")
        if not flow.replies:
            continue
        body = wire.udp(flow.target, flow.client, (flow.target_port, flow.port), _DATA)
        pieces = cut(flow.target, flow.client, body, 0x200 + number)
        station = server_mac(flow.server)
        play.say(f"reply: {told(play, play.stage.send([Sending(INT, one, station) for one in pieces]))}")
    play.connections()


add("fragments", partial(fragments, six=False))
add("fragments IPv6", partial(fragments, six=True))


def with_options(packet: bytes, options: bytes) -> bytes:
    """An IPv4 packet with options, a multiple of 4 bytes."""
    head = bytes([packet[0] + len(options) // 4, packet[1]]) + struct.pack("!H", len(packet) + len(options))
    head += packet[4:10] + bytes(2) + packet[12:20] + options
    return head[:10] + struct.pack("!H", wire.internet_sum(head)) + head[12:] + packet[20:]


@scenario("IPv4 options")
def ipv4_options(play: Play) -> None:
    """No operation, record route, timestamps, router alert, stream number; a source route is told by itself."""
    play.service("-u V:53", "-s rr", ("S1:5353 -m", "S2:53 -g", "S3:53 -i"))
    kinds = {
        "nop": b"\1\1\1\1",
        "record route": b"\7\x0b\4" + bytes(8) + b"\0",
        "timestamp": b"\x44\x0c\5\0" + bytes(8),
        "router alert": b"\x94\4\0\0",
        "stream": b"\x88\4\0\1",
    }
    for at, (name, options) in enumerate(kinds.items()):
        for turn in range(3):
            flow = Flow(play, 2 + turn, 40000 + at, 53, kind="udp")
            body = wire.udp(flow.client, flow.vip, (flow.port, flow.virtual), b"x")
            packet = with_options(wire.ip(flow.client, flow.vip, wire.UDP, body), options)
            play.say(f"{name}: {play.told(play.from_client(packet), ttl=True)}")
    play.connections()


def errors(play: Play, six: bool, method: str) -> None:
    """The client's side complains of a reply that came past the director: only the virtual address knows of whom."""
    v, s = ("Vv6", "v6") if six else ("V", "")
    play.service(f"-u {v}:53", "-s rr", (f"S1{s}:53 {method}",))
    flow = Flow(play, 2, 40000, 53, six=six, kind="udp")
    play.choices([flow.ask("x")])
    kind = wire.ICMP6 if six else wire.ICMP
    reply = wire.ip(flow.vip, flow.client, wire.UDP, wire.udp(flow.vip, flow.client, (53, 40000), b"y"))
    for number, code in ((1, 4), (2, 0), (3, 0), (4, 1)) if six else ((3, 3), (3, 4), (11, 0), (12, 0)):
        rest = 1300 if (number, code) in {(3, 4), (2, 0)} else 0
        for sender in (flow.client, play.client(99, six)):
            body = wire.icmp(sender, flow.vip, number, code, rest, reply)
            seen = play.from_client(wire.ip(sender, flow.vip, kind, body))
            play.say(f"{number}/{code} of {play.name(sender)}: {play.told(seen, ttl=True)}")
    play.connections()
    play.stats()


for _method, _name in (("-g", "direct routing"), ("-i", "tunnels")):
    add(f"icmp errors past {_name} IPv4", partial(errors, six=False, method=_method))
    add(f"icmp errors past {_name} IPv6", partial(errors, six=True, method=_method))
