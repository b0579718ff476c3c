# SPDX-License-Identifier: GPL-2.0-or-later
"""Templates: who stays with whom, by client, network, mark or any port; and what ends that."""

from __future__ import annotations

from collections.abc import Iterable

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

THREE = ("S1:80 -m", "S2:80 -m", "S3:80 -m")
_LISTINGS = ("-L -n", "-L -n --persistent-conn")


def visit(
    play: Play, clients: Iterable[int], port: int, virtual: int = 80, *, six: bool = False, kind: str = "tcp"
) -> None:
    """Each client once, from ports that follow one another; TCP with a handshake."""
    flows = [Flow(play, client, port + at, virtual, six=six, kind=kind) for at, client in enumerate(clients)]
    play.choices(flow.open() if kind == "tcp" else flow.ask("x") for flow in flows)


def listings(play: Play) -> None:
    """Tables and connections."""
    for options in _LISTINGS:
        play.table(options)
    play.connections()


@scenario("persistence templates", always=True)
def templates(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", THREE)
    visit(play, [2, 3, 4, 5, 2, 3, 4, 5, 2], 40000)
    listings(play)
    play.connections("-L -n -c --persistent-conn")
    play.proc("ip_vs")
    play.proc("ip_vs_conn")
    play.stats()


@scenario("persistence quiescent template")
def quiescent(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", THREE)
    visit(play, [2, 3, 4, 5], 40000)
    play.note("a server rests: its clients stay")
    play.vs("-e -t V:80 -r S3:80 -m -w 0")
    visit(play, [2, 3, 4, 5], 41000)
    play.sysctl("expire_quiescent_template=1")
    visit(play, [2, 3, 4, 5, 2, 3, 4, 5], 42000)
    listings(play)


@scenario("persistence by network")
def networks(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100 -M 255.255.255.248", THREE)
    visit(play, [2, 5, 7, 8, 15, 16, 9, 3, 23], 40000)
    listings(play)
    play.service("-t V:81", "-s rr -p 100 -M 255.255.255.0", ("S1:81 -m", "S2:81 -m", "S3:81 -m"))
    visit(play, [2, 99, 200], 41000, 81)
    play.note("another mask counts for later templates")
    play.vs("-E -t V:81 -s rr -p 100")
    visit(play, [2, 99, 200], 42000, 81)
    listings(play)


@scenario("persistence on any port")
def any_port(play: Play) -> None:
    play.timeouts.add(100)
    for kind in ("-t", "-u"):
        play.service(f"{kind} V:0", "-s rr -p 100", ("S1:0 -m", "S2:0 -m", "S3:0 -m"))
    for at, virtual in enumerate((80, 443, 8080)):
        visit(play, [6, 7, 8], 40000 + 10 * at, virtual)
        visit(play, [6, 7, 8], 40000 + 10 * at, virtual, kind="udp")
    listings(play)
    play.note("a service of its own port wins")
    play.service("-t V:443", "-s rr", ("S4:443 -m",))
    visit(play, [6, 7], 43000, 443)
    play.connections()


@scenario("persistence any port with server ports")
def other_ports(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:0", "-s rr -p 100", ("S1:8080 -m", "S2:0 -m"))
    visit(play, [2, 3, 2, 3], 40000)
    play.service("-t V:80", "-s rr -p 100", ("S1:8080 -m", "S2:81 -m"))
    visit(play, [4, 5, 4, 5], 41000)
    listings(play)


@scenario("persistence by mark")
def by_mark(play: Play) -> None:
    play.timeouts.add(100)
    play.mark("ip daddr V tcp dport { 80, 443 }", 7)
    play.mark("ip daddr V udp dport 53", 7)
    play.service("-f 7", "-s rr -p 100", ("S1:8080 -m", "S2 -m", "S3 -m"))
    visit(play, [2, 3, 4], 40000)
    visit(play, [2, 3, 4], 41000, 443)
    visit(play, [2, 3, 4], 42000, 53, kind="udp")
    listings(play)
    play.stats()


@scenario("persistence IPv6")
def six(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t Vv6:80", "-s rr -p 100", ("S1v6:80 -m", "S2v6:80 -m", "S3v6:80 -m"))
    visit(play, [2, 3, 4, 2, 3, 4], 40000, six=True)
    listings(play)
    play.proc("ip_vs")
    play.note("by the first 124 bits of the client")
    play.service("-t Vv6:81", "-s rr -p 100 -M 124", ("S1v6:81 -m", "S2v6:81 -m", "S3v6:81 -m"))
    visit(play, [2, 15, 16, 31, 32, 2], 41000, 81, six=True)
    listings(play)
    play.proc("ip_vs_conn")


@scenario("persistence edited and removed servers")
def edited(play: Play) -> None:
    play.timeouts |= {100, 200}
    play.service("-t V:80", "-s wrr -p 100", THREE)
    visit(play, [2, 3, 4], 40000)
    play.vs("-e -t V:80 -r S3:80 -m -w 5")
    visit(play, [2, 3, 4], 41000)
    play.note("removed: another server, and another template")
    play.vs("-d -t V:80 -r S3:80")
    visit(play, [2, 3, 4], 42000)
    play.connections()
    play.note("there again: what is new stays")
    play.vs("-a -t V:80 -r S3:80 -m")
    visit(play, [2, 3, 4, 5, 6], 43000)
    play.note("the time of persistence becomes another for new templates only")
    play.vs("-E -t V:80 -s wrr -p 200")
    visit(play, [2, 7, 8], 44000)
    listings(play)


@scenario("persistence ends with -E")
def dropped(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", THREE)
    visit(play, [2, 3, 2, 3], 40000)
    play.vs("-E -t V:80 -s rr")
    visit(play, [2, 3, 2, 3], 41000)
    play.vs("-E -t V:80 -s rr -p 100")
    visit(play, [2, 3, 4, 2, 3, 4], 42000)
    listings(play)


@scenario("persistence full server")
def full(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", ("S1:80 -m -x 2", "S2:80 -m -x 3"))
    visit(play, [2, 3, 2, 3, 2, 3, 2, 4, 5], 40000)
    play.table("-L -n --thresholds")
    listings(play)


@scenario("persistence direct routing and tunnels")
def route(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", ("S1:80 -g", "S2:80 -i", "S3:80 -m"))
    visit(play, [2, 3, 4, 2, 3, 4], 40000)
    play.service("-u V:53", "-s rr -p 100", ("S1:53 -g", "S2:53 -m"))
    visit(play, [2, 3, 2, 3], 41000, 53, kind="udp")
    listings(play)


@scenario("persistence and rescheduling of a closed port")
def controlled(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:80", "-s rr -p 100", THREE)
    flow = Flow(play, 2, 40000)
    labels = [flow.open()]
    flow.close()
    labels.append(flow.open())
    flow.close()
    play.choices(labels)
    listings(play)


@scenario("persistence template outlives its time")
def extended(play: Play) -> None:
    play.timeouts.add(3)
    play.service("-t V:80", "-s rr -p 3", THREE)
    visit(play, [2], 40000)

    def is_extended() -> bool:
        rows = [line for line in play.run("-L -n -c").out.splitlines() if f"10.{play.number}.1.2:0 " in line]
        return bool(rows) and int(rows[0].split()[1].rpartition(":")[2]) > 30

    play.wait("an open connection gives its template a minute more", is_extended, 15)
    visit(play, [2, 3], 41000)
    play.connections()


@scenario("persistence template ends")
def ended(play: Play) -> None:
    play.timeouts.add(5)
    play.set_up("--set 0 0 1")
    play.service("-u V:80", "-s rr -p 5", THREE)
    visit(play, [2, 3, 4], 40000, kind="udp")
    play.wait("all ends", lambda: not play.own_rows(play.run("-L -n -c").out.splitlines()), 20)
    visit(play, [2, 3, 4, 4], 41000, kind="udp")
