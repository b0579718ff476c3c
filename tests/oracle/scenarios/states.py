# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted conversations: state, timeout, active and inactive counts after every packet.

Each walk has a service and a server of its own, and all walks take their steps together: one listing tells of all.
"""

from __future__ import annotations

import time
from functools import partial

from tests.oracle.flow import Flow, together
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add

NAT = """\
S | S S | S sSA | S sSA A | S sSA A A | S sSA A FA | S sSA A FA sA | S sSA A FA sFA | S sSA A FA sFA A |
S sSA A sFA | S sSA A sFA A | S sSA A sFA FA | S sSA A sFA FA sA | S sRA | S sSA R | S sSA A R | S sSA A sR | S R |
S A | S F | S sSA A S | S sSA A FA sFA A S | S sSA A sFA S | S sSA A FA S | S sSA A R A | S sSA A FA sFA R |
S sSA A FA sFA sR | S sSA A P | S sSA A FA R | S sS | S sS A | S sA | S sF | A | FA | R | P | SA | SA sA |
S sSA sSA A"""
ROUTE = """\
S | S S | S A | S A A | S A FA | S A FA A | S A R | S R | S F | S A FA S | S A FA R | S A R A | S A S | S A R S | A |
FA | R | P | SA | S P | S F S | S A P"""


_SHORTEST_S = {"tcp": 10, "sctp": 4}  # of the states' timers: CLOSE; INIT1 and its like
_TRIES = 4
_CLIENT_PORT, _VIRTUAL_PORT = 30000, 8000  # of the first conversation in the first try


def walk(play: Play, walks: str, method: str, settings: tuple[str, ...] = (), service: str = "-t") -> None:
    """Plays every conversation; a step with `s` in front is the server's.

    All over again, on other ports, if the machine was so slow that a timer may have ended between two steps; what the
    last try shows is judged as it is.
    """
    for setting in settings:
        play.sysctl(setting)
    plans = [one.split() for one in walks.split("|")]
    kind = {"-t": "tcp", "--sctp-service": "sctp"}[service]
    told: list[list[str]] = []
    for offset in range(0, 100 * _TRIES, 100):
        ports = [(_CLIENT_PORT + offset + at, _VIRTUAL_PORT + offset + at) for at, _ in enumerate(plans)]
        flows = [Flow(play, 2, *pair, kind=kind) for pair in ports]
        lines = []
        for at, flow in enumerate(flows):
            name = f"{service} V:{flow.virtual}"
            lines += [f"-A {name} -s rr", f"-a {name} -r S{1 + at % 20}:{flow.virtual} {method}"]
        play.set_up(*lines)
        told, slowest_s = _walked(play, plans, flows)
        if slowest_s < _SHORTEST_S[kind]:
            break
    for plan, lines in zip(plans, told, strict=True):
        play.say(" ".join(plan), *lines)


def _walked(play: Play, plans: list[list[str]], flows: list[Flow]) -> tuple[list[list[str]], float]:
    """What became of each step of each conversation, and the seconds that the slowest step of all took."""
    told: list[list[str]] = [[] for _ in plans]
    slowest_s = 0.0
    for step in range(max(map(len, plans))):
        began = time.monotonic()
        going = [at for at, plan in enumerate(plans) if step < len(plan)]
        steps = [(flows[at], plans[at][step]) for at in going]
        where = dict(zip(going, together(play, steps), strict=True))
        states, counts = play.rows(), _counts(play)
        for at in going:
            state, timeout = states.get(flows[at].port, ("no entry", 0))
            label = where[at].replace(f":{flows[at].port}", f":{_CLIENT_PORT + at}")
            label = label.replace(f":{flows[at].virtual}", f":{_VIRTUAL_PORT + at}")
            told[at].append(f"  {plans[at][step]:5} {label:8} {state} {timeout}s {counts[flows[at].virtual]}")
        slowest_s = max(slowest_s, time.monotonic() - began)
    return told, slowest_s


def _counts(play: Play) -> dict[int, str]:
    """Active and inactive connections of each service's only server, by the virtual port."""
    found, port = {}, 0
    for line in play.run("-L -n").out.splitlines()[3:]:
        words = line.split()
        if words[0] == "->":
            found[port] = f"active {words[4]} inactive {words[5]}"
        else:
            port = int(words[1].rpartition(":")[2])
    return found


add("tcp states nat", partial(walk, walks=NAT, method="-m"), always=True)
add("tcp states nat secure_tcp", partial(walk, walks=NAT, method="-m", settings=("secure_tcp=3",)))
add("tcp states dr", partial(walk, walks=ROUTE, method="-g"), always=True)
add("tcp states dr secure_tcp", partial(walk, walks=ROUTE, method="-g", settings=("secure_tcp=3",)))
add("tcp states nat sloppy_tcp", partial(walk, walks=NAT, method="-m", settings=("sloppy_tcp=1",)))
add("tcp states dr sloppy_tcp", partial(walk, walks=ROUTE, method="-g", settings=("sloppy_tcp=1",)))

SCTP = """\
INIT | INIT INIT | INIT sINIT_ACK | INIT sINIT_ACK COOKIE_ECHO | INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK |
INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK DATA sSACK | INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK SHUTDOWN |
INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK SHUTDOWN sSHUTDOWN_ACK SHUTDOWN_COMPLETE |
INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK sSHUTDOWN SHUTDOWN_ACK sSHUTDOWN_COMPLETE |
INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK ABORT | INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK sABORT | INIT sABORT |
INIT ABORT | INIT sABORT INIT | INIT sINIT_ACK COOKIE_ECHO+ABORT | INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK+ABORT |
INIT sINIT | INIT sCOOKIE_ECHO | INIT DATA | INIT sDATA | INIT ERROR | INIT sERROR | INIT sSHUTDOWN | INIT COOKIE_ACK |
INIT sINIT_ACK COOKIE_ECHO sCOOKIE_ACK INIT | INIT HEARTBEAT | DATA | ABORT | COOKIE_ECHO | SHUTDOWN_ACK"""
SCTP_ROUTE = """\
INIT | INIT INIT | INIT COOKIE_ECHO | INIT COOKIE_ECHO DATA | INIT COOKIE_ECHO SHUTDOWN |
INIT COOKIE_ECHO SHUTDOWN SHUTDOWN_COMPLETE | INIT COOKIE_ECHO SHUTDOWN_ACK | INIT COOKIE_ECHO ABORT | INIT ABORT |
INIT COOKIE_ECHO ABORT INIT | INIT SHUTDOWN_COMPLETE | INIT INIT_ACK | DATA | ABORT"""

_SCTP_WALK = partial(walk, service="--sctp-service")
add("sctp states nat", partial(_SCTP_WALK, walks=SCTP, method="-m"), always=True)
add("sctp states dr", partial(_SCTP_WALK, walks=SCTP_ROUTE, method="-g"))
add("sctp states sloppy_sctp", partial(_SCTP_WALK, walks=SCTP, method="-m", settings=("sloppy_sctp=1",)))
