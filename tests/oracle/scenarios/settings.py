# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings net.ipv4.vs: defaults, ranges, and what each does that no other module shows."""

from __future__ import annotations

from functools import partial

from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

NAMES = [
    "am_droprate",
    "amemthresh",
    "backup_only",
    "cache_bypass",
    "conn_reuse_mode",
    "conntrack",
    "drop_entry",
    "drop_packet",
    "expire_nodest_conn",
    "expire_quiescent_template",
    "ignore_tunneled",
    "nat_icmp_send",
    "pmtu_disc",
    "run_estimation",
    "schedule_icmp",
    "secure_tcp",
    "sloppy_sctp",
    "sloppy_tcp",
    "snat_reroute",
    "sync_persist_mode",
    "sync_ports",
    "sync_refresh_period",
    "sync_retries",
    "sync_sock_size",
    "sync_threshold",
    "sync_version",
]
# Those of netfilter, of the host's own tunnels, and of the daemon.
FOREIGN = ("conntrack", "snat_reroute", "ignore_tunneled", "backup_only")
DEFENCES = ("drop_entry", "drop_packet", "secure_tcp")
VALUES = ("0", "1", "2", "3", "4", "-1", "2147483647", "x")


@scenario("settings defaults", alone=True)
def defaults(play: Play) -> None:
    for name in NAMES:
        play.show_sysctl(name)


@scenario("settings ranges")
def ranges(play: Play) -> None:
    for name in NAMES:
        if name.startswith("sync_") or name in FOREIGN:
            continue
        for value in VALUES:
            play.sysctl(f"{name}={value}")
            if name in DEFENCES and value == "2":
                play.wait("nothing is short", partial(is_waiting, play, name), 5)
            play.show_sysctl(name)
        play.sysctl(f"{name}=0")


def is_waiting(play: Play, name: str) -> bool:
    """A defence that was called for is so no more."""
    return play.side.get_sysctl(play.stage.director, name).out.strip() == "1"


@scenario("settings of synchronisation")
def synchronisation(play: Play) -> None:
    settings = (
        *("sync_version=0", "sync_version=2", "sync_ports=2", "sync_ports=3", "sync_retries=3", "sync_retries=4"),
        *("sync_persist_mode=1", "sync_refresh_period=5", "sync_sock_size=4096"),
    )
    for setting in settings:
        play.sysctl(setting)
        play.show_sysctl(setting.partition("=")[0])
    for value in ("3 2", "0 0", "5 0", "3 50"):
        play.sysctl(f"sync_threshold={value}")
        play.show_sysctl("sync_threshold")


@scenario("settings that BPVS has no use for")
def foreign(play: Play) -> None:
    for name in FOREIGN:
        for value in ("1", "0"):
            play.sysctl(f"{name}={value}")
            play.show_sysctl(name)


@scenario("drop_packet")
def drop_packet(play: Play) -> None:
    play.service("-u V:80", "-s rr", ("S1:80 -m",))
    play.sysctl("am_droprate=3")
    play.sysctl("drop_packet=3")
    # The rate is taken over once a second.
    flows = [Flow(play, 2, 40000 + at, kind="udp") for at in range(200)]

    def drops() -> bool:
        flow = flows.pop()
        return flow.ask("x") == "-"

    play.wait("the rate is in force", drops, 10)
    labels = [flow.ask("x") for flow in flows[:30]]
    play.say(f"every third is dropped: {[labels[at::3].count('-') for at in range(3)].count(10) == 1}")
    play.note("a connection that there is loses nothing")
    play.choices(one.ask("x") for one in flows[1:2] * 9)
    play.sysctl("drop_packet=0")
    play.choices(Flow(play, 3, 41000 + at, kind="udp").ask("x") for at in range(12))


@scenario("cache_bypass")
def bypass(play: Play) -> None:
    lan = f"10.{play.number}.3"
    play.stage.configure("rule add fwmark 8 lookup 100 pref 1000", "route replace local default dev lo table 100")
    play.stage.configure(f"route add {lan}.0/24 via {play.server(1)} dev int")
    try:
        play.mark(f"ip daddr {lan}.0/24 tcp dport 80", 8)
        play.set_up("-A -f 8 -s rr")
        play.choices([Flow(play, 2, 40000, vip=f"{lan}.9").ask("S")])
        play.sysctl("cache_bypass=1")
        flow = Flow(play, 2, 40001, vip=f"{lan}.9")
        play.choices([flow.ask("S"), flow.ask("A")])
        play.connections()
        play.stats()
    finally:
        play.stage.configure("rule delete fwmark 8 lookup 100 pref 1000", "route flush table 100")
        play.stage.configure(f"route delete {lan}.0/24")


@scenario("run_estimation")
def run_estimation(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    play.sysctl("run_estimation=0")
    play.choices([Flow(play, 2, 40000).open()])
    play.stats()
    play.sysctl("run_estimation=1")
    play.stats()


@scenario("schedule_icmp and ignore_tunneled")
def icmp(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:53 -m",))
    inner = wire.ip(play.vip, play.client(3), wire.UDP, wire.udp(play.vip, play.client(3), (53, 40000), b"y"))
    body = wire.icmp(play.client(3), play.vip, 3, 3, 0, inner)
    packet = wire.ip(play.client(3), play.vip, wire.ICMP, body)
    for value in (0, 1):
        play.sysctl(f"schedule_icmp={value}")
        play.say(play.told(play.from_client(packet)))


@scenario("pmtu_disc")
def pmtu_disc(play: Play) -> None:
    play.service("-u V:53", "-s rr", ("S1:53 -i",))
    source, target = play.client(2), play.vip
    for value in (1, 0):
        play.sysctl(f"pmtu_disc={value}")
        for size in (1400, 1480, 1481, 1500):
            body = wire.udp(source, target, (40000, 53), b"x" * (size - 28))
            seen = play.from_client(wire.ip(source, target, wire.UDP, body))
            play.say(f"{size}: {play.told(seen)}", *(f"  df {one.packet.df}" for one in seen))
