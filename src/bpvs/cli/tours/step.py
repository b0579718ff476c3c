# SPDX-License-Identifier: GPL-2.0-or-later
"""What tours are made of: a command as an operator types it, and what its output must be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from bpvs.lab.shell import Result
from bpvs.lab.topology import Routed


@dataclass(slots=True)
class Seen:
    """What earlier steps showed: the servers that answered, in order."""

    answers: list[str] = field(default_factory=list)


Expectation = Callable[[Result, Seen], str]


def succeeds(result: Result, _seen: Seen) -> str:
    """Exit code 0, whatever it printed."""
    return "" if result.code == 0 else f"exit code {result.code} instead of 0"


def answers(text: str) -> Expectation:
    """One line, and exit code 0."""
    return prints(f"{text}\n")


def prints(text: str) -> Expectation:
    """Exactly this output, and exit code 0."""

    def expect(result: Result, seen: Seen) -> str:
        if result.code != 0:
            return succeeds(result, seen)
        return "" if result.out == text else f"its output should be\n{text}"

    return expect


@dataclass(frozen=True, slots=True)
class Step:
    """One command line for a shell on a machine of the network; `expect` returns "" or what is wrong, as a sentence.

    With `patience` the command is given again until it is right, for so many seconds at most, and shown once.
    """

    command: str
    expect: Expectation = succeeds
    remark: str = ""
    host: str = "director"
    is_captured: bool = False
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Tour:
    """A way of forwarding, shown: `path` is where the packets that begin a connection are seen, as "director in".

    Of the connection's packets those with one of the `flags` are shown, each once a place.
    """

    title: str
    picture: str
    topology: Callable[[bool], AbstractContextManager[Routed]]
    steps: tuple[Step, ...]
    path: tuple[str, ...]
    flags: tuple[str, ...] = ("SYN", "SYN ACK")


def balanced(vip: str, servers: tuple[str, ...], option: str, *locals_: str, service: str = "") -> tuple[Step, ...]:
    """A service with its servers, one request, the request whose packets are shown, and the counters."""
    first = Step(f"ipvsadm -A -t {vip}:80 -s rr{service}")
    return (
        first,
        *(Step(f"ipvsadm -P -t {vip}:80 -z {local}") for local in locals_),
        *(Step(f"ipvsadm -a -t {vip}:80 -r {server} {option}") for server in servers),
        Step(f"curl {vip}", answers("two"), host="client"),
        Step(f"curl {vip}", answers("one"), host="client", is_captured=True),
        Step("ipvsadm -L -n --stats", counts),
    )


def counts(result: Result, seen: Seen) -> str:
    """Two connections at the service, one at each of its servers."""
    if result.code != 0:
        return succeeds(result, seen)
    shown = [line.split()[-5] for line in result.out.splitlines()[3:]]
    return "" if shown == ["2", "1", "1"] else "there should be two connections, one at each server"


def plain(picture: str) -> str:
    """A picture in ASCII, for terminals that draw no lines."""
    return picture.translate(str.maketrans("┌┐└┘├┤┬┴┼─│", "+++++++++-|"))
