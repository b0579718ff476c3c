# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes under traffic: servers that rest, go and come back, services edited, removed and made again."""

from __future__ import annotations

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

THREE = ("S1:80 -m", "S2:80 -m", "S3:80 -m")


def opened(play: Play, port: int, count: int, virtual: int = 80) -> list[Flow]:
    """Connections, and where they went."""
    flows = [Flow(play, 2 + at, port + at, virtual) for at in range(count)]
    play.choices(flow.open() for flow in flows)
    return flows


def used(play: Play, flows: list[Flow], what: str = "PA") -> None:
    """A packet of each client, and one of each server."""
    play.choices(flow.ask(what) for flow in flows)
    play.choices(flow.answer(what) for flow in flows)


@scenario("quiesced server")
def quiesced(play: Play) -> None:
    play.service("-t V:80", "-s rr", THREE)
    flows = opened(play, 40000, 6)
    play.vs("-e -t V:80 -r S2:80 -m -w 0")
    used(play, flows)
    opened(play, 41000, 4)
    play.table()
    play.vs("-e -t V:80 -r S2:80 -m -w 2")
    opened(play, 42000, 4)
    play.table()


@scenario("removed server with connections", always=True)
def removed(play: Play) -> None:
    play.service("-t V:80", "-s rr", THREE)
    flows = opened(play, 40000, 6)
    play.vs("-d -t V:80 -r S2:80")
    used(play, flows)
    play.table()
    play.connections()
    play.note("there again: its connections go on, with their counts")
    play.vs("-a -t V:80 -r S2:80 -m")
    play.table()
    used(play, flows)
    opened(play, 41000, 4)
    play.stats()


@scenario("removed server with expire_nodest_conn")
def expired(play: Play) -> None:
    play.sysctl("expire_nodest_conn=1")
    play.service("-t V:80", "-s rr", THREE)
    play.service("-u V:80", "-s rr", THREE)
    flows = opened(play, 40000, 3)
    datagrams = [Flow(play, 2, 40010 + at, kind="udp") for at in range(3)]
    play.choices(flow.ask("x") for flow in datagrams)
    play.vs("-d -t V:80 -r S2:80")
    play.vs("-d -u V:80 -r S2:80")
    gone = 2  # connections
    play.wait("the connections of the removed server end", lambda: len(play.rows()) == 6 - gone, 10)
    play.choices(flow.ask("PA") for flow in flows)
    play.choices(flow.ask("x") for flow in datagrams)
    play.table()
    play.connections()


@scenario("removed server with expire_nodest_conn set later")
def expired_later(play: Play) -> None:
    play.service("-t V:80", "-s rr", THREE)
    play.service("-u V:80", "-s rr", THREE)
    flows = opened(play, 40000, 3)
    datagrams = [Flow(play, 2, 40010 + at, kind="udp") for at in range(3)]
    play.choices(flow.ask("x") for flow in datagrams)
    play.vs("-d -t V:80 -r S2:80")
    play.vs("-d -u V:80 -r S2:80")
    play.choices(flow.ask("PA") for flow in flows)
    play.sysctl("expire_nodest_conn=1")
    play.choices(flow.ask("PA") for flow in flows)
    play.choices(flow.ask("x") for flow in datagrams)
    play.wait("connections are left", lambda: len(play.rows()) == 5, 5)
    play.connections()


@scenario("cleared and restored with connections")
def restored(play: Play) -> None:
    play.service("-t V:80", "-s wrr", ("S1:80 -m -w 1", "S2:80 -m -w 2"))
    flows = opened(play, 40000, 6)
    saved = play.vs("-S -n").out
    play.stats()
    play.vs("-C")
    play.note("nothing is balanced")
    play.choices(flow.ask("PA") for flow in flows)
    play.vs("-R", saved)
    used(play, flows)
    play.table()
    opened(play, 41000, 6)
    play.table()
    play.stats()


@scenario("service removed beside another")
def service_removed(play: Play) -> None:
    play.service("-t V:80", "-s rr", THREE)
    play.service("-t V:81", "-s rr", ("S4:81 -m",))
    flows = opened(play, 40000, 3)
    play.vs("-D -t V:80")
    used(play, flows)
    play.connections()
    play.choices([Flow(play, 9, 41000).ask("S")])
    play.note("made again with servers of other addresses")
    play.service("-t V:80", "-s rr", ("S5:80 -m", "S1:80 -m"))
    used(play, flows)
    play.table()


@scenario("scheduler edited under traffic")
def scheduler_edited(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m -w 1", "S2:80 -m -w 2", "S3:80 -m -w 4"))
    port = 40000
    for scheduler in (
        "rr",
        "wrr",
        "wrr",
        "lc",
        "wlc",
        "sh",
        "sh -b sh-port",
        "rr",
        "mh",
        "nq",
        "sed",
        "fo",
        "ovf",
        "dh",
        "lblc",
        "lblcr",
        "wrr",
    ):
        play.vs(f"-E -t V:80 -s {scheduler}")
        port += 100
        opened(play, port, 10)
        play.say(play.counts("-t V:80"))
    play.table()
    play.stats()


@scenario("service without scheduler")
def no_scheduler(play: Play) -> None:
    play.service("-t V:80", "-s none", THREE)
    play.table()
    play.choices([Flow(play, 2, 40000).ask("S")])
    play.vs("-E -t V:80 -s rr")
    flows = opened(play, 41000, 4)
    play.vs("-E -t V:80 -s none")
    used(play, flows)
    play.choices([Flow(play, 2, 42000).ask("S")])
    play.table()


@scenario("wrr gives up and begins again")
def wrr_zero(play: Play) -> None:
    play.service("-t V:80", "-s wrr", ("S1:80 -m -w 4", "S2:80 -m -w 6", "S3:80 -m -w 10"))
    opened(play, 40000, 12)
    for server in (1, 2, 3):
        play.vs(f"-e -t V:80 -r S{server}:80 -m -w 0")
        opened(play, 40100 + 100 * server, 6)
    for server in (2, 1, 3):
        play.vs(f"-e -t V:80 -r S{server}:80 -m -w {server * 3}")
        opened(play, 41000 + 100 * server, 9)
    play.table()


@scenario("method edited with connections")
def method_edited(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m", "S2:8080 -m"))
    flows = opened(play, 40000, 4)
    play.note("connections keep their method")
    play.vs("-e -t V:80 -r S1:80 -g")
    used(play, flows)
    opened(play, 41000, 4)
    play.vs("-e -t V:80 -r S1:80 -i")
    opened(play, 42000, 4)
    play.note("the default method looks for another port")
    play.vs("-e -t V:80 -r S2:8080 -w 3")
    play.table()
    play.connections()


@scenario("server shared by services")
def shared(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    play.service("-t V:8080", "-s rr", ("S1:80 -m",))
    first, second = Flow(play, 2, 40000, 80), Flow(play, 2, 40001, 8080)
    play.choices(flow.open() for flow in (first, second))
    used(play, [first, second])
    play.note("both connections are one to the server: replies belong to the newer")
    third, fourth = Flow(play, 3, 40006, 80), Flow(play, 3, 40006, 8080)
    play.choices(flow.ask("S") for flow in (third, fourth))
    play.choices(flow.answer("SA") for flow in (third, fourth))
    play.connections()
