# SPDX-License-Identifier: GPL-2.0-or-later
"""One-packet scheduling: each datagram for itself."""

from __future__ import annotations

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario


@scenario("one packet nat", always=True)
def nat(play: Play) -> None:
    play.service("-u V:53", "-s rr -o", ("S1:53 -m", "S2:5353 -m", "S3:53 -m"))
    flow = Flow(play, 2, 40000, 53, kind="udp")
    play.choices(flow.ask("x") for _ in range(7))
    play.note("the reply of the server")
    play.choices([flow.answer("y")])
    play.table()
    play.connections()
    play.stats()


@scenario("one packet wrr with changes")
def weights(play: Play) -> None:
    play.service("-u V:53", "-s wrr -o", ("S1:53 -m -w 1", "S2:53 -m -w 2", "S3:53 -m -w 5"))
    flow = Flow(play, 2, 40000, 53, kind="udp")
    play.choices(flow.ask("x") for _ in range(40))
    play.vs("-e -u V:53 -r S3:53 -m -w 0")
    play.choices(flow.ask("x") for _ in range(20))
    play.vs("-d -u V:53 -r S2:53")
    play.choices(flow.ask("x") for _ in range(20))
    play.vs("-E -u V:53 -s wrr")
    play.choices(flow.ask("x") for _ in range(5))
    play.connections()
    play.stats()


@scenario("one packet direct routing and tunnels")
def route(play: Play) -> None:
    play.service("-u V:53", "-s rr -o", ("S1:53 -g", "S2:53 -i", "S3:53 -m"))
    play.choices(Flow(play, 2 + at, 40000, 53, kind="udp").ask("x") for at in range(9))
    play.table()
    play.stats()


@scenario("one packet persistent")
def persistent(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-u V:53", "-s rr -o -p 100", ("S1:53 -m", "S2:53 -m", "S3:53 -m"))
    play.choices(Flow(play, 2 + at % 2, 40000 + at, 53, kind="udp").ask("x") for at in range(8))
    play.table()
    play.table("-L -n --persistent-conn")
    play.connections()
    play.stats()


@scenario("one packet by mark and IPv6")
def others(play: Play) -> None:
    play.mark("ip daddr V udp dport 1000-2000", 5)
    play.service("-f 5", "-s rr -o", ("S1 -m", "S2 -m"))
    play.choices(Flow(play, 2, 40000, 1000 + at, kind="udp").ask("x") for at in range(6))
    play.note("of a service by mark, TCP keeps its connections")
    play.service("-u Vv6:53", "-s rr -o", ("S1v6:53 -m", "S2v6:53 -m"))
    play.choices(Flow(play, 2, 40000, 53, six=True, kind="udp").ask("x") for _ in range(6))
    play.table()
    play.connections()
