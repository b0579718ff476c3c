# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of forwarding: what the packets look like behind the director, mixed services, tunnels."""

from __future__ import annotations

from functools import partial

from tests.oracle import wire
from tests.oracle.flow import Flow, together
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add, scenario

TUNNELS = (
    "-i",
    "-i --tun-type gue --tun-port 6080 --tun-nocsum",
    "-i --tun-type gue --tun-port 6080 --tun-csum",
    "-i --tun-type gre --tun-nocsum",
    "-i --tun-type gre --tun-csum",
)


@scenario("nat dr and tunnels mixed", always=True)
def mixed(play: Play) -> None:
    servers = [f"S{at}:80 {method}" for at, method in enumerate(("-m", "-g", *TUNNELS), 1)]
    play.service("-t V:80", "-s rr", servers)
    flows = [Flow(play, 2 + at, 40000 + at) for at in range(14)]
    play.choices(flow.ask("S") for flow in flows)
    play.choices(flow.ask("A") for flow in flows)
    play.choices(flow.ask("FA") for flow in flows)
    play.table()
    play.table("-L -n --tun-info")
    play.connections()
    play.stats()
    play.vs("-S -n")


@scenario("nat dr and tunnels mixed IPv6")
def mixed_six(play: Play) -> None:
    servers = [f"S{at}v6:80 {method}" for at, method in enumerate(("-m", "-g", *TUNNELS), 1)]
    servers += [f"S{at}:80 {method}" for at, method in enumerate(TUNNELS, 8)]
    play.service("-t Vv6:80", "-s rr", servers)
    flows = [Flow(play, 2 + at, 40000 + at, six=True) for at in range(24)]
    play.choices(flow.ask("S") for flow in flows)
    play.choices(flow.ask("A") for flow in flows)
    play.table("-L -n --tun-info")
    play.connections()
    play.stats()


@scenario("outer headers")
def outer(play: Play) -> None:
    for number, method in enumerate(TUNNELS, 1):
        play.set_up(f"-A -t V:{8000 + number} -s rr", f"-a -t V:{8000 + number} -r S{number}:0 {method}")
    for number in range(1, len(TUNNELS) + 1):
        for tos, df, ttl in ((0, True, 64), (0x28, True, 10), (0x2A, False, 64), (1, True, 64), (3, True, 64)):
            source, target = play.client(2), play.vip
            body = wire.tcp(source, target, (40000 + tos + df, 8000 + number), "S")
            for one in play.from_client(wire.ip(source, target, wire.TCP, body, ttl, tos, df)):
                packet = one.packet
                head = f"tos {packet.tos:#x} df {packet.df} {len(packet.data)} bytes"
                play.say(f"tos {tos:#x} df {df} ttl {ttl}: {head} {packet.told(play.name, ttl=True)}")


def replies(play: Play, method: str, six: bool) -> None:
    """Conversations to their end, with replies where the director sees them; counters of this way."""
    v, s = ("Vv6", "v6") if six else ("V", "")
    play.service(f"-t {v}:80", "-s wlc", [f"S{at}{s}:80 {method} -w {at}" for at in (1, 2, 3)])
    play.service(f"-u {v}:53", "-s wlc", [f"S{at}{s}:53 {method} -w {at}" for at in (1, 2, 3)])
    flows = [Flow(play, 2 + at, 40000 + at, six=six) for at in range(6)]
    datagrams = [Flow(play, 2 + at, 40000 + at, 53, six=six, kind="udp") for at in range(6)]
    play.choices(flow.ask("S") for flow in flows)
    if method == "-m":
        play.choices(flow.answer("SA") for flow in flows)
    play.choices(flow.ask("A") for flow in flows)
    play.choices(flow.ask("x" * 100 * at) for at, flow in enumerate(datagrams))
    if method == "-m":
        play.choices(flow.answer("y" * 10) for flow in datagrams)
    play.choices(flow.ask("FA") for flow in flows[:3])
    play.table()
    play.connections()
    play.stats()
    play.stats("-L -n --stats")
    play.proc("ip_vs")


for _name, _method in (("nat", "-m"), ("dr", "-g"), ("tunnel", "-i")):
    add(f"way {_name}", partial(replies, method=_method, six=False))
    add(f"way {_name} IPv6", partial(replies, method=_method, six=True))


def by_director(play: Play, is_local: bool) -> None:
    """The director is the servers' gateway: replies with the virtual address as source."""
    if not is_local:
        play.stage.configure("rule add fwmark 8 lookup 100 pref 1000", "route replace local default dev lo table 100")
        play.mark(f"ip daddr 10.{play.number}.3.9 meta l4proto tcp", 8)
    try:
        name, vip = ("-t V:80", play.vip) if is_local else ("-f 8", f"10.{play.number}.3.9")
        play.service(name, "-s rr", ("S1:80 -g", "S2:80 -i"))
        flows = [Flow(play, 2 + at, 40000 + at, vip=vip) for at in range(4)]
        for flow in flows:
            flow.by_director = True
        for step in ("S", "sSA", "A", "sPA", "FA", "sFA"):
            play.say(f"{step}: {' '.join(together(play, [(flow, step) for flow in flows]))}")
            play.connections()
        play.stats()
    finally:
        if not is_local:
            play.stage.configure("rule delete fwmark 8 lookup 100 pref 1000", "route flush table 100")


add("replies of routes by the director", partial(by_director, is_local=True))
add("replies of routes by the director of a routed address", partial(by_director, is_local=False))
