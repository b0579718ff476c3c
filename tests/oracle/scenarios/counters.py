# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics: what counts as what, zeroing, totals, and the text of the files in /proc/net."""

from __future__ import annotations

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

LISTINGS = ("-L -n --stats", "-L -n --stats --exact", "-L -n --persistent-conn", "-L -n --thresholds")


def some(play: Play, port: int) -> None:
    """Traffic of each kind."""
    flows = [Flow(play, 2, port + at) for at in range(4)]
    play.choices(flow.open() for flow in flows)
    for flow in flows[:2]:
        flow.close()
    play.choices(Flow(play, 2, port + at, 53, kind="udp").ask("x" * 72) for at in range(3))


@scenario("counters and files", alone=True)
def files(play: Play) -> None:
    play.vs("-L -n")
    play.proc("ip_vs")
    play.proc("ip_vs_stats")
    play.service("-t V:80", "-s rr", ("S1:8080 -m", "S2:8080 -m"))
    play.service("-u V:53", "-s wlc", ("S3:53 -m -w 7",))
    some(play, 40000)
    for listing in LISTINGS:
        play.stats(listing)
    play.proc("ip_vs")
    play.proc("ip_vs_conn")
    play.proc("ip_vs_conn_sync")
    play.say(*_totals(play))
    play.note("zero one service, then all")
    play.await_counters()
    play.vs("-Z -t V:80")
    play.stats("-L -n --stats")
    play.say(*_totals(play))
    some(play, 41000)
    play.await_counters()
    play.vs("-Z")
    play.stats("-L -n --stats")
    play.say(*_totals(play))
    some(play, 42000)
    play.stats("-L -n --stats")
    play.say(*_totals(play))


def _totals(play: Play) -> list[str]:
    """ip_vs_stats without its last line: rates change by the second."""
    return play.side.proc(play.stage.director, "ip_vs_stats").out.splitlines()[:5]


@scenario("counters of removed servers")
def removed(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m", "S2:80 -m"))
    flows = [Flow(play, 2, 40000 + at) for at in range(4)]
    play.choices(flow.open() for flow in flows)
    play.stats()
    play.vs("-d -t V:80 -r S2:80")
    play.stats()
    play.choices(flow.ask("PA") for flow in flows)
    play.stats()
    play.vs("-a -t V:80 -r S2:80 -m")
    play.choices(flow.ask("PA") for flow in flows)
    play.stats()
    play.note("without the connections of a server, too")
    play.service("-t V:81", "-s rr", ("S5:81 -m",))
    play.vs("-Z -t V:80")
    play.stats()


@scenario("counters of dropped packets")
def dropped(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    flow = Flow(play, 2, 40000)
    play.choices([flow.open(), Flow(play, 20, 40001, 81).ask("S"), Flow(play, 2, 40002).ask("A")])
    play.vs("-e -t V:80 -r S1:80 -m -w 0")
    play.choices([Flow(play, 2, 40003).ask("S"), flow.ask("PA"), flow.answer("PA")])
    play.stats()


@scenario("rates come and go")
def rates(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:53 -m",))

    def rate() -> int:
        rows = [line.split() for line in play.run("-L -n --rate").out.splitlines() if "->" in line]
        return int(rows[-1][2])

    play.say(f"at rest {rate()}")
    for at in range(100):
        Flow(play, 2, 40000 + at, 53, kind="udp").ask("x" * 72)
    play.wait("a rate shows", lambda: rate() >= 10, 10)
    play.wait("it falls", lambda: 0 < rate() < 5, 30)
    play.wait("it is gone", lambda: rate() == 0, 60)
