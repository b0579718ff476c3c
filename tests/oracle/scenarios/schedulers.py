# SPDX-License-Identifier: GPL-2.0-or-later
"""Each scheduler over some hundred connections, with random weights that change while it runs."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.oracle.flow import Flow, together
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add

ROUNDS = 8
CONNECTIONS = 30
_PORTS = 40000
# Weights, most of them small; 0 takes part too.
_WEIGHTS = (0, 1, 1, 1, 2, 3, 4, 5, 7, 10, 16, 100)


class Farm:
    """A service whose servers come, go and change."""

    def __init__(self, play: Play, random: Random, size: int, method: str = "-m") -> None:
        self.play, self.random, self.method = play, random, method
        self.weights: dict[int, int] = {}
        self.absent = list(range(1, 21))
        random.shuffle(self.absent)
        for _ in range(size):
            self.add()

    def add(self) -> None:
        server = self.absent.pop()
        self.weights[server] = self.random.choice(_WEIGHTS)
        self._command("-a", server, f" -w {self.weights[server]}")

    def change(self) -> None:
        """One change: a server comes or goes, a weight becomes another, a server rests."""
        kind = self.random.choice(("add", "delete", "edit", "edit", "rest"))
        if kind == "add" and self.absent:
            self.add()
        elif kind == "delete" and len(self.weights) > 2:
            server = self.random.choice(sorted(self.weights))
            del self.weights[server]
            self.absent.insert(0, server)
            self._command("-d", server)
        else:
            server = self.random.choice(sorted(self.weights))
            self.weights[server] = 0 if kind == "rest" else self.random.choice(_WEIGHTS)
            self._command("-e", server, f" -w {self.weights[server]}")

    def _command(self, command: str, server: int, weight: str = "") -> None:
        method = "" if command == "-d" else f" {self.method}"
        self.play.say(f"ipvsadm {command} s{server}{weight}")
        self.play.set_up(f"{command} -t V:80 -r S{server}:80{method}{weight}")


def churn(play: Play, scheduler: str, size: int, seed: int) -> None:
    """Connections that stay, that end, that are half open, from many clients and ports."""
    random = Random(f"{scheduler} {seed}")  # noqa: S311 - a repeatable course, no secret
    play.note(f"{scheduler}, {size} servers at first")
    play.set_up(f"-A -t V:80 -s {scheduler}")
    farm = Farm(play, random, size)
    port = _PORTS
    standing: list[Flow] = []
    for _ in range(ROUNDS):
        flows = [Flow(play, random.randrange(2, 250), port + at) for at in range(1, CONNECTIONS + 1)]
        port += CONNECTIONS
        steps = [(flow, "S") for flow in flows]
        # Among the new ones, clients end some of those that stand.
        ending = [flow for flow in standing if random.random() < 0.4]
        for flow in ending:
            steps.insert(random.randrange(len(steps)), (flow, "FA"))
        told = dict(zip((flow.port for flow, _ in steps), together(play, steps), strict=True))
        play.choices(told[flow.port] for flow in flows)
        together(play, [(flow, "sFA") for flow in ending])
        # Some stay half open.
        standing = [flow for flow in flows if flow.server and random.random() < 0.8]
        together(play, [(flow, "sSA") for flow in standing])
        together(play, [(flow, "A") for flow in standing])
        play.say(play.counts("-t V:80"))
        farm.change()


_PLAIN = ("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf")
_HASHED = ("sh", "sh -b sh-port", "sh -b sh-fallback", "sh -b sh-fallback,sh-port", "mh", "mh -b mh-port")
_MORE = ("mh -b mh-fallback", "mh -b mh-fallback,mh-port", "dh", "lblc", "lblcr")

for _at, _scheduler in enumerate((*_PLAIN, *_HASHED, *_MORE)):
    _name = _scheduler.replace(" -b ", " ").replace(",", " ")
    add(f"scheduler {_name}", partial(churn, scheduler=_scheduler, size=2 + _at, seed=1), always=_scheduler == "wlc")


def datagrams(play: Play, scheduler: str) -> None:
    """UDP is never active: load is what is inactive."""
    random = Random(f"udp {scheduler}")  # noqa: S311 - a repeatable course, no secret
    servers = [f"S{server}:53 -m -w {random.choice(_WEIGHTS)}" for server in range(1, 8)]
    play.say(*servers)
    play.service("-u V:53", f"-s {scheduler}", servers)
    for at in range(4):
        flows = [Flow(play, random.randrange(2, 250), _PORTS + 60 * at + one, 53, kind="udp") for one in range(60)]
        play.choices(together(play, [(flow, "x") for flow in flows]))
        play.say(play.counts("-u V:53"))
        play.vs(f"-e -u V:53 -r S{random.randrange(1, 8)}:53 -m -w {random.choice(_WEIGHTS)}")


def sixes(play: Play, scheduler: str) -> None:
    """IPv6: the hashes take other words of the addresses."""
    random = Random(f"IPv6 {scheduler}")  # noqa: S311 - a repeatable course, no secret
    play.service("-t Vv6:80", f"-s {scheduler}", [f"S{server}v6:80 -m -w {1 + server % 4}" for server in range(1, 10)])
    for at in range(4):
        flows = [Flow(play, random.randrange(2, 65000), _PORTS + 60 * at + one, six=True) for one in range(60)]
        play.choices(together(play, [(flow, "S") for flow in flows]))
        play.vs(f"-e -t Vv6:80 -r S{random.randrange(1, 10)}v6:80 -m -w {random.choice(_WEIGHTS)}")


def destinations(play: Play, scheduler: str) -> None:
    """By destination: a marked network that the director routes to itself."""
    random = Random(f"destinations {scheduler}")  # noqa: S311 - a repeatable course, no secret
    lan = f"10.{play.number}.3"
    play.stage.configure("rule add fwmark 8 lookup 100 pref 1000", "route replace local default dev lo table 100")
    try:
        play.mark(f"ip daddr {lan}.0/24 meta l4proto tcp", 8)
        play.service("-f 8", f"-s {scheduler}", [f"S{server} -m -w {1 + server % 3}" for server in range(1, 7)])
        for at in range(4):
            ends = [(random.randrange(2, 250), random.randrange(1, 40)) for _ in range(60)]
            flows = [
                Flow(play, client, _PORTS + 60 * at + one, vip=f"{lan}.{end}") for one, (client, end) in enumerate(ends)
            ]
            play.choices(together(play, [(flow, "S") for flow in flows]))
            play.vs(f"-e -f 8 -r S{random.randrange(1, 7)} -m -w {random.choice((0, 1, 5))}")
        play.table()
    finally:
        play.stage.configure("rule delete fwmark 8 lookup 100 pref 1000", "route flush table 100")


for _scheduler in ("lc", "wlc", "sed", "nq", "fo", "ovf"):
    add(f"scheduler {_scheduler} with datagrams", partial(datagrams, scheduler=_scheduler))
for _scheduler in ("wlc", "sh", "sh -b sh-port,sh-fallback", "mh", "mh -b mh-port,mh-fallback", "dh", "lblc"):
    _name = _scheduler.replace(" -b ", " ").replace(",", " ")
    add(f"scheduler {_name} IPv6", partial(sixes, scheduler=_scheduler))
for _scheduler in ("dh", "lblc", "lblcr"):
    add(f"scheduler {_scheduler} by destination", partial(destinations, scheduler=_scheduler))
