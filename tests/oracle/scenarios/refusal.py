# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client gets when no server can be had, in each type and family; packets that nobody asked for."""

from __future__ import annotations

from functools import partial

from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add, scenario

METHODS = ("-m", "-g", "-i")


def told(play: Play, flow: Flow, what: str) -> None:
    """A packet of the client, and every answer in full."""
    packet = flow.body(flow.client, flow.vip, (flow.port, flow.virtual), what)
    play.say(f"{flow.kind} {what}: {play.told(play.from_client(packet), ttl=True)}")


def refused(play: Play, six: bool) -> None:
    """No servers; one that rests; one that is full; for TCP, UDP and SCTP."""
    v, s = ("Vv6", "v6") if six else ("V", "")
    kinds = {"tcp": ("-t", "S"), "udp": ("-u", "x"), "sctp": ("--sctp-service", "INIT")}
    for kind, (option, what) in kinds.items():
        play.note(f"{kind}, no server")
        play.set_up(f"-A {option} {v}:80 -s rr")
        told(play, Flow(play, 2, 40000, six=six, kind=kind), what)
        for method in METHODS:
            play.note(f"{kind}, server rests, {method}")
            play.set_up(f"-a {option} {v}:80 -r S1{s}:80 {method} -w 0")
            told(play, Flow(play, 2, 40001, six=six, kind=kind), what)
            play.set_up(f"-d {option} {v}:80 -r S1{s}:80")
        play.note(f"{kind}, server full")
        play.set_up(f"-a {option} {v}:80 -r S1{s}:80 -m -x 1")
        told(play, Flow(play, 2, 40002, six=six, kind=kind), what)
        told(play, Flow(play, 2, 40003, six=six, kind=kind), what)
    play.table()
    play.stats()


add("no server IPv4", partial(refused, six=False), always=True)
add("no server IPv6", partial(refused, six=True))


@scenario("packets that open nothing")
def opens_nothing(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    for flags in ("A", "SA", "FA", "R", "RA", "P", "SR", "SF", "F", "SP"):
        told(play, Flow(play, 2, 40000 + sum(map(ord, flags))), flags)
    play.note("no service here")
    told(play, Flow(play, 2, 41000, 81), "S")
    told(play, Flow(play, 2, 41000, 81, kind="udp"), "x")
    play.connections()
    play.stats()


@scenario("sloppy_tcp")
def sloppy(play: Play) -> None:
    play.sysctl("sloppy_tcp=1")
    play.service("-t V:80", "-s rr", ("S1:80 -m", "S2:80 -m"))
    for at, flags in enumerate(("A", "SA", "FA", "R", "RA", "P", "SR", "SF", "F")):
        told(play, Flow(play, 2, 40000 + at), flags)
    play.connections()


@scenario("hop limit ends at the director")
def hops(play: Play) -> None:
    play.service("-t V:80", "-s rr", [f"S{at}:80 {method}" for at, method in enumerate(METHODS, 1)])
    play.service("-t Vv6:80", "-s rr", [f"S{at}v6:80 {method}" for at, method in enumerate(METHODS, 1)])
    for six in (False, True):
        source, target = play.client(2, six), play.vip6 if six else play.vip
        for at, ttl in enumerate((1, 1, 1, 2, 2, 2, 64, 64, 64)):
            body = wire.tcp(source, target, (40000 + at, 80), "S")
            seen = play.from_client(wire.ip(source, target, wire.TCP, body, ttl=ttl))
            play.say(f"ttl {ttl}: {play.told(seen, ttl=True)}")
    play.connections()


@scenario("too long for the way")
def too_long(play: Play) -> None:
    play.stage.configure("link set int mtu 1400")
    try:
        play.service("-u V:53", "-s rr", [f"S{at}:53 {method}" for at, method in enumerate(METHODS, 1)])
        play.service("-u Vv6:53", "-s rr", [f"S{at}v6:53 {method}" for at, method in enumerate(METHODS, 1)])
        for six in (False, True):
            source, target = play.client(2, six), play.vip6 if six else play.vip
            head = 48 if six else 28
            for size in (1300, 1360, 1361, 1380, 1381, 1400, 1401, 1420, 1480):
                labels = []
                for at in range(3):
                    body = wire.udp(source, target, (size * 10 + at, 53), b"x" * (size - head))
                    seen = play.from_client(wire.ip(source, target, wire.UDP, body))
                    labels.append(play.told(seen))
                play.say(*(f"{size}: {label}" for label in sorted(labels)))
    finally:
        play.stage.configure("link set int mtu 1500")
