# SPDX-License-Identifier: GPL-2.0-or-later
"""Services by firewall mark, set by nftables in PREROUTING."""

from __future__ import annotations

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

_LAN = "10.{0}.3"  # addresses that the director does not have


@scenario("mark of a local address", always=True)
def local(play: Play) -> None:
    play.mark("ip daddr V tcp dport { 80, 443, 8000-8100 }", 7)
    play.service("-f 7", "-s rr", ("S1 -m", "S2 -m", "S3:8080 -m"))
    ports = (80, 443, 8000, 8050, 8100, 8101, 81)
    flows = [Flow(play, 2 + at, 40000 + at, port) for at, port in enumerate(ports)]
    play.choices(flow.open() for flow in flows)
    play.choices(flow.answer("PA") for flow in flows)
    play.note("a service by address beside it takes what is not marked")
    play.service("-t V:81", "-s rr", ("S4:81 -m",))
    play.choices(Flow(play, 2 + at, 41000 + at, port).open() for at, port in enumerate(ports))
    play.table()
    play.connections()
    play.stats()
    play.proc("ip_vs")


@scenario("mark of a routed network")
def routed(play: Play) -> None:
    lan = _LAN.format(play.number)
    play.stage.configure("rule add fwmark 8 lookup 100 pref 1000", "route replace local default dev lo table 100")
    try:
        play.mark(f"ip daddr {lan}.0/24 meta l4proto tcp", 8)
        play.service("-f 8", "-s rr", ("S1 -m", "S2 -m"))
        flows = [Flow(play, 2 + at, 40000 + at, 80 + at, vip=f"{lan}.{9 + at}") for at in range(6)]
        play.choices(flow.open() for flow in flows)
        play.choices(flow.answer("PA") for flow in flows)
        play.note("by the destination, one service for a network")
        play.vs("-E -f 8 -s dh")
        play.choices(Flow(play, 2, 41000 + at, vip=f"{lan}.{at}").open() for at in range(40))
        play.table()
        play.stats()
    finally:
        play.stage.configure("rule delete fwmark 8 lookup 100 pref 1000", "route flush table 100")


@scenario("mark with direct routing")
def route(play: Play) -> None:
    play.mark("ip daddr V meta l4proto { tcp, udp }", 9)
    play.service("-f 9", "-s rr", ("S1 -g", "S2 -i", "S3:9090 -g"))
    play.choices(Flow(play, 2, 40000 + at, 80 + at).open() for at in range(6))
    play.choices(Flow(play, 2, 41000 + at, 80 + at, kind="udp").ask("x") for at in range(6))
    play.table()
    play.connections()


@scenario("mark IPv6")
def six(play: Play) -> None:
    play.mark("ip6 daddr V6 tcp dport { 80, 443 }", 7)
    play.service("-f 7 -6", "-s rr", ("S1v6:0 -m", "S2v6:0 -m"))
    flows = [Flow(play, 2, 40000 + at, port, six=True) for at, port in enumerate((80, 443, 80, 81))]
    play.choices(flow.open() for flow in flows)
    play.choices(flow.answer("PA") for flow in flows)
    play.note("the same mark has a service of each family")
    play.service("-f 7", "-s rr", ("S3:0 -m",))
    play.choices(Flow(play, 2, 41000 + at, port, six=True).open() for at, port in enumerate((80, 443)))
    play.table()
    play.connections()


@scenario("mark without a service")
def unknown(play: Play) -> None:
    play.mark("ip daddr V tcp dport 80", 11)
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    play.service("-f 12", "-s rr", ("S2 -m",))
    play.choices(Flow(play, 2, 40000 + at).open() for at in range(2))
    play.table()


@scenario("mark without servers")
def empty(play: Play) -> None:
    play.mark("ip daddr V tcp dport 80", 7)
    play.set_up("-A -f 7 -s rr")
    play.choices(Flow(play, 2, 40000 + at).ask("S") for at in range(2))
    play.vs("-a -f 7 -r S1 -m -w 0")
    play.choices(Flow(play, 2, 41000 + at).ask("S") for at in range(2))
    play.stats()
