# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and servers on the director itself, with sockets of its own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bpvs.net import namespace
from tests.closing import reset_on_close
from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario
from tests.oracle.stage import INT, Sighting

_PATIENCE_S = 2.0


@contextmanager
def own_socket(play: Play, kind: socket.SocketKind, address: str, port: int) -> Iterator[socket.socket]:
    """A socket of the director, bound."""
    with namespace.inside(play.stage.director):
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    with one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.settimeout(_PATIENCE_S)
        one.bind((address, port))
        yield one


def connect(play: Play, source: str, port: int, virtual: int) -> None:
    """A TCP client of the director; the server answers its handshake; at the end it resets, for a FIN is repeated."""
    with own_socket(play, socket.SOCK_STREAM, source, port) as one:
        reset_on_close(one)
        one.setblocking(False)
        with suppress(OSError):
            one.connect((play.vip, virtual))
        seen = play.stage.seen()
        play.say(f"connect: {play.told(seen)}")
        if len(seen) == 1 and seen[0].wire == INT:
            accept(play, seen[0])
        play.say(f"error {one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)}")
    play.say(f"close: {play.told(play.stage.seen())}")


def accept(play: Play, syn: Sighting) -> None:
    """The server's answer to a SYN."""
    packet = syn.packet
    sequence = int.from_bytes(packet.body[4:8], "big")
    reply = wire.tcp(packet.target, packet.source, packet.ports[::-1], "SA")
    reply = reply[:8] + (sequence + 1).to_bytes(4, "big") + reply[12:]
    right = wire.tcp_sum(packet.target, packet.source, reply)
    answer = wire.ip(packet.target, packet.source, wire.TCP, right)
    play.say(f"answer: {play.told(play.from_server(int(play.station(syn)[1:]), answer))}")


@scenario("client on the director")
def client(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:8080 -m", "S2:80 -m"))
    connect(play, play.vip, 40000, 80)
    connect(play, f"10.{play.number}.2.1", 40001, 80)
    connect(play, "0.0.0.0", 40002, 80)
    play.note("by DR")
    play.service("-t V:81", "-s rr", ("S3:81 -g",))
    connect(play, f"10.{play.number}.2.1", 40003, 81)
    play.table()
    play.connections()
    play.stats()


@scenario("client on the director with datagrams")
def datagrams(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:5353 -m", "S2:53 -g"))
    for at in range(2):
        with own_socket(play, socket.SOCK_DGRAM, f"10.{play.number}.2.1", 41000 + at) as one:
            one.sendto(b"hello", (play.vip, 53))
            seen = play.stage.seen()
            play.say(play.told(seen))
            for sighting in seen:
                packet = sighting.packet
                if packet.target == play.vip:
                    continue
                body = wire.udp(packet.target, packet.source, packet.ports[::-1], b"answer")
                answer = wire.ip(packet.target, packet.source, wire.UDP, body)
                play.from_server(int(play.station(sighting)[1:]), answer)
                try:
                    data, (address, port) = one.recvfrom(100)
                    play.say(f"{data!r} from {play.name(address)}:{port}")
                except OSError as error:
                    play.say(f"nothing: {type(error).__name__}")
    play.connections()
    play.stats()


@scenario("server on the director")
def server(play: Play) -> None:
    inside = f"10.{play.number}.2.1"
    kinds = (
        (f"{inside}:80", "-g", play.vip, 80),
        (f"{inside}:80", "-i", play.vip, 80),
        (f"{inside}:8080", "-m", inside, 8080),
        (f"{play.vip}:80", "-g", play.vip, 80),
        (f"{play.vip}:8080", "-m", play.vip, 8080),
        ("127.0.0.1:80", "-g", play.vip, 80),
        ("127.0.0.1:80", "-m", "127.0.0.1", 80),
    )
    for at, (address, method, own, port) in enumerate(kinds):
        play.service("-u V:80", "-s rr", (f"{address} {method}",))
        play.note(f"{play.name(address.partition(':')[0])} {method}")
        with own_socket(play, socket.SOCK_DGRAM, own, port) as one:
            flow = Flow(play, 2, 40000 + at, kind="udp")
            play.choices([flow.ask("hello")])
            try:
                data, end = one.recvfrom(100)
                play.say(f"{data!r} from {play.name(end[0])}:{end[1]}")
                one.sendto(b"answer", end)
                play.say(play.told(play.stage.seen()))
            except OSError as error:
                play.say(f"nothing: {type(error).__name__}")
        play.table("-L -n -u V:80")
        play.stats("-L -n --stats --exact -u V:80")
        play.vs("-D -u V:80")
    play.connections()
