# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that servers begin, ICMP errors both ways, datagrams and their timers."""

from __future__ import annotations

from functools import partial

from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add, scenario


def datagram(play: Play, server: int, ports: tuple[int, int], six: bool = False, client: int = 2) -> bytes:
    """From a server to a client."""
    source, target = play.server(server, six), play.client(client, six)
    return wire.ip(source, target, wire.UDP, wire.udp(source, target, ports, b"x"))


def segment(play: Play, server: int, ports: tuple[int, int], flags: str, six: bool = False) -> bytes:
    source, target = play.server(server, six), play.client(2, six)
    return wire.ip(source, target, wire.TCP, wire.tcp(source, target, ports, flags))


@scenario("servers begin")
def begin(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:5353 -m",))
    play.service("-t V:80", "-s rr", ("S1:8080 -m", "S2:80 -g"))
    for value in (0, 1):
        play.sysctl(f"nat_icmp_send={value}")
        play.note("from the port of a server, and from another")
        for ports in ((5353, 9999), (7777, 9999), (8080, 9999), (80, 9999)):
            play.say(f"udp {ports}: {play.told(play.from_server(1, datagram(play, 1, ports)), ttl=True)}")
        for server, port in ((1, 8080), (1, 7777), (2, 80)):
            for flags in ("S", "SA", "A", "R", "FA"):
                packet = segment(play, server, (port, 9999), flags)
                play.say(f"tcp {server} {port} {flags}: {play.told(play.from_server(server, packet), ttl=True)}")
    play.connections()
    play.stats()


@scenario("servers begin IPv6")
def begin_six(play: Play) -> None:
    play.service("-u Vv6:53", "-s rr", ("S1v6:5353 -m",))
    for value in (0, 1):
        play.sysctl(f"nat_icmp_send={value}")
        for ports in ((5353, 9999), (7777, 9999)):
            play.say(f"udp {ports}: {play.told(play.from_server(1, datagram(play, 1, ports, six=True)), ttl=True)}")


def errors(play: Play, six: bool) -> None:
    """ICMP errors about packets of a connection, from either side and from routers between."""
    v, s = ("Vv6", "v6") if six else ("V", "")
    play.service(f"-u {v}:53", "-s rr", (f"S1{s}:5353 -m",))
    flow = Flow(play, 2, 40000, 53, six=six, kind="udp")
    play.choices([flow.ask("x"), flow.answer("y")])
    kind = wire.ICMP6 if six else wire.ICMP
    codes = ((1, 4), (1, 0), (2, 0), (3, 0)) if six else ((3, 3), (3, 1), (3, 4), (11, 0))
    director = f"fd01:{play.number}::1" if six else f"10.{play.number}.2.1"
    for number, code in codes:
        rest = 1300 if (number, code) in {(3, 4), (2, 0)} else 0
        request = wire.ip(flow.client, flow.target, wire.UDP, wire.udp(flow.client, flow.target, (40000, 5353), b"x"))
        reply = wire.ip(flow.vip, flow.client, wire.UDP, wire.udp(flow.vip, flow.client, (53, 40000), b"y"))
        for sender in (flow.target, play.server(9, six)):
            body = wire.icmp(sender, flow.client, number, code, rest, request)
            seen = play.from_server(1, wire.ip(sender, flow.client, kind, body))
            play.say(f"{number}/{code} of {play.name(sender)}: {play.told(seen, ttl=True)}")
        for sender in (flow.client, play.client(99, six)):
            body = wire.icmp(sender, flow.vip, number, code, rest, reply)
            seen = play.from_client(wire.ip(sender, flow.vip, kind, body))
            play.say(f"{number}/{code} of {play.name(sender)}: {play.told(seen, ttl=True)}")
    play.note(f"{play.name(director)} is the director")
    play.connections()
    play.stats()


add("icmp errors IPv4", partial(errors, six=False))
add("icmp errors IPv6", partial(errors, six=True))


@scenario("udp timers")
def timers(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:53 -m", "S2:53 -g"))
    flows = [Flow(play, 2, 40000 + at, 53, kind="udp") for at in range(4)]
    play.choices(flow.ask("x") for flow in flows)
    play.connections()
    play.vs("--set 0 0 30")
    play.note("the next packet of either side counts")
    play.choices([flows[0].ask("x"), flows[1].ask("x"), flows[3].answer("y")])
    play.connections()
    play.vs("-L --timeout")
    play.table()


@scenario("timeouts set")
def timeouts(play: Play) -> None:
    play.timeouts |= {50, 40}
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    play.vs("--set 50 40 0")
    flows = [Flow(play, 2, 40000 + at) for at in range(3)]
    play.choices(flow.open() for flow in flows)
    flows[0].answer("FA")
    flows[1].close()
    play.connections()
    play.vs("-L --timeout")


@scenario("connections end", always=True)
def end(play: Play) -> None:
    play.set_up("--set 3 2 2")
    play.service("-t V:80", "-s rr", ("S1:80 -m", "S2:80 -m"))
    play.service("-u V:53", "-s rr", ("S1:53 -m", "S2:53 -m"))
    flows = [Flow(play, 2, 40000 + at) for at in range(4)]
    play.choices(flow.open() for flow in flows)
    flows[3].answer("FA")
    datagrams = [Flow(play, 2, 41000 + at, 53, kind="udp") for at in range(4)]
    play.choices(flow.ask("x") for flow in datagrams)
    play.table()
    play.wait("all end", lambda: not play.own_rows(play.run("-L -n -c").out.splitlines()), 20)
    play.table()
    play.note("data of a connection that ended; a datagram is one of a new one")
    play.choices([flows[0].ask("PA"), flows[0].answer("PA"), datagrams[0].ask("x")])
    play.stats()


@scenario("checksums")
def checksums(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:5353 -m",))
    source, target = play.client(2), play.vip
    for data in (b"", b"a", b"ab", bytes(1001)):
        for checksum in (True, False):
            body = wire.udp(source, target, (40000, 53), data, checksum)
            seen = play.from_client(wire.ip(source, target, wire.UDP, body))
            has = seen[0].packet.body[6:8] != b"\0\0" if seen else None
            play.say(f"{len(data)} bytes, checksum {checksum}: {play.told(seen)}, checksum {has}")
