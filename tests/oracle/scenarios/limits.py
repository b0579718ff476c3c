# SPDX-License-Identifier: GPL-2.0-or-later
"""Thresholds: servers that are full, and when they take connections again."""

from __future__ import annotations

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

THRESHOLDS = "-L -n --thresholds"


def opened(play: Play, port: int, count: int, kind: str = "tcp") -> list[Flow]:
    """Connections that stay open, and where they went."""
    flows = [Flow(play, 2, port + at, kind=kind) for at in range(count)]
    play.choices(flow.open() if kind == "tcp" else flow.ask("x") for flow in flows)
    return flows


@scenario("thresholds upper", always=True)
def upper(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m -x 3", "S2:80 -m"))
    flows = opened(play, 40000, 10)
    play.table(THRESHOLDS)
    play.note("connections that are over count until they are gone")
    for flow in flows:
        flow.close()
    play.table(THRESHOLDS)
    opened(play, 41000, 4)
    play.note("raised")
    play.vs("-e -t V:80 -r S1:80 -m -x 10")
    opened(play, 42000, 6)
    play.note("lowered below what there is")
    play.vs("-e -t V:80 -r S1:80 -m -x 2")
    opened(play, 43000, 4)
    play.table(THRESHOLDS)
    play.note("none")
    play.vs("-e -t V:80 -r S1:80 -m")
    opened(play, 44000, 4)
    play.table(THRESHOLDS)


@scenario("thresholds all full")
def all_full(play: Play) -> None:
    play.service("-t V:80", "-s wlc", ("S1:80 -m -x 2", "S2:80 -m -x 3 -y 1", "S3:80 -g -x 1"))
    opened(play, 40000, 9)
    play.table(THRESHOLDS)
    play.stats()


@scenario("thresholds lower")
def lower(play: Play) -> None:
    play.set_up("--set 0 0 3")
    play.service("-u V:80", "-s rr", ("S1:80 -m -x 4 -y 2", "S2:80 -m"))
    opened(play, 40000, 10, "udp")
    play.table(THRESHOLDS)
    play.note("S1 takes more again when fewer than two of its connections are left")
    play.wait("all end", lambda: not play.own_rows(play.run("-L -n -c").out.splitlines()), 20)
    opened(play, 41000, 10, "udp")
    play.table(THRESHOLDS)


@scenario("thresholds and removed servers")
def removed(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m -x 3", "S2:80 -m"))
    opened(play, 40000, 5)
    play.vs("-d -t V:80 -r S1:80")
    opened(play, 41000, 2)
    play.note("it comes back with what it had")
    play.vs("-a -t V:80 -r S1:80 -m -x 3")
    play.table(THRESHOLDS)
    opened(play, 42000, 4)
    play.table(THRESHOLDS)


@scenario("thresholds by scheduler")
def schedulers(play: Play) -> None:
    for at, scheduler in enumerate(
        ("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "sh", "mh", "sh -b sh-fallback", "mh -b mh-fallback")
    ):
        port = 8000 + at
        servers = [f"S{number}:{port} -m -w {number} -x {number + 1}" for number in (1, 2, 3)]
        play.service(f"-t V:{port}", f"-s {scheduler}", servers)
        play.note(scheduler)
        play.choices(Flow(play, 2 + one, 40000 + one, port).open() for one in range(12))
    play.table(THRESHOLDS)


@scenario("thresholds IPv6 and marks")
def others(play: Play) -> None:
    play.mark("ip daddr V tcp dport 90-99", 9)
    play.service("-f 9", "-s rr", ("S1 -m -x 2", "S2 -m -x 3"))
    play.choices(Flow(play, 2, 40000 + at, 90 + at).open() for at in range(8))
    play.service("-t Vv6:80", "-s rr", ("S1v6:80 -m -x 2", "S2v6:80 -m -x 3"))
    play.choices(Flow(play, 2, 41000 + at, six=True).open() for at in range(8))
    play.table(THRESHOLDS)
