# SPDX-License-Identifier: GPL-2.0-or-later
"""The words of which scenarios are made: a piece of configuration, and rounds of events."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from string import Template


@dataclass(frozen=True)
class Result:
    """The service's monitor is run once and does as this shell script does.

    group: where it is not the scenario's own; is_run: False where something must keep the monitor from being started
    """

    script: str
    service: str = "svc"
    group: str = ""
    is_run: bool = True


@dataclass(frozen=True)
class Say:
    """A command of the client protocol; `$G` is the scenario's group."""

    command: str


@dataclass(frozen=True)
class Trap:
    """A trap; `lands` is the "group service" where it counts, if not where it is sent to."""

    status: int
    summary: str = ""
    detail: str = ""
    service: str = "svc"
    group: str = ""
    lands: str = ""


@dataclass(frozen=True)
class Pause:
    """Nothing, for at least so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Signal:
    """A signal to the daemon, which makes it write this file below its state directory anew."""

    number: int
    written: str


@dataclass(frozen=True)
class Restart:
    """The daemon is ended and started again with these options and with the state files of one of the two."""

    options: tuple[str, ...]
    state_of: str


@dataclass(frozen=True)
class Configure:
    """Replace words in the configuration file; what is done then is another event's matter."""

    old: str
    new: str


Event = Result | Say | Trap | Pause | Signal | Restart | Configure
Round = tuple[Event, ...]


@dataclass(frozen=True)
class Scenario:
    """`name` is also the name of its group, `$G` in `config`; other groups of its begin with it.

    is_blurred: for what happens when the daemon's own clock says so: epochs only tell that there is one, rounds do not
        count, and the status is looked at after the last one
    """

    name: str
    config: str
    rounds: tuple[Round, ...]
    is_blurred: bool = False
    text: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.filled(self.config))

    def filled(self, text: str) -> str:
        """With its name for `$G`."""
        return Template(text).safe_substitute(G=self.name)

    @property
    def groups(self) -> frozenset[str]:
        """Names of its watches; what else is in its configuration only runs along."""
        return frozenset(re.findall(rf"^watch ({self.name}\S*)", self.text, re.MULTILINE))

    @property
    def is_ordered(self) -> bool:
        """Whether alerts come in an order that mon promises: not that of periods, services and groups."""
        return len(re.findall(r"^ *period\b", self.text, re.MULTILINE)) <= 1


def scenario(name: str, config: str, *rounds: Event | Round, is_blurred: bool = False) -> Scenario:
    """One event is a round as well as several that happen at the same time."""
    wrapped = tuple(one if isinstance(one, tuple) else (one,) for one in rounds)
    return Scenario(name, config, wrapped, is_blurred)


def watch(*period: str, service: str = "", hosts: str = "h1 h2") -> str:
    """A group whose one service has one period with these lines, and these further lines of its own."""
    own = "".join(f"  {line}\n" for line in service.splitlines())
    lines = "".join(f"    {line}\n" for line in period)
    return (
        f"hostgroup $G {hosts}\n\nwatch $G\n  service svc\n  interval 1d\n  monitor ctl.monitor\n{own}"
        f"  period wd {{Sun-Sat}}\n{lines}"
    )


def fail(output: str = "h1\\ndetail\\n", status: int = 1, service: str = "svc", group: str = "") -> Result:
    """A failure; `output` is a format of printf(1)."""
    return Result(f"printf '{output}'; exit {status}", service, group)


def well(output: str = "", service: str = "svc", group: str = "") -> Result:
    """A success."""
    return Result(f"printf '{output}'", service, group)


ALERT = "alert rec.alert down"
UP = "upalert rec.alert up"
