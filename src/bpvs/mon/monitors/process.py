# SPDX-License-Identifier: GPL-2.0-or-later
"""process.monitor and ps.monitor: do programs run on this machine, and how many of each.

`process.monitor NAME[:[MIN]-[MAX]]... ;;` - without numbers: at least one. ps.monitor is mon's name for it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from bpvs.mon.monitors.aside import aside
from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import Timed, parse
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_WANTED = re.compile(r"(?P<name>.+):(?P<least>\d{0,7})-(?P<most>\d{0,7})")
# A script is known by its own name, not by that of what runs it.
_INTERPRETER = re.compile(r"(perl|python|ruby|lua|node|php|sh|bash|dash|ksh|zsh)[0-9.]*")
_DEAD = ("Z", "X")


class Wanted(NamedTuple):
    """How many processes of a name there should be; no upper limit if `most` is None."""

    name: str
    least: int
    most: int | None

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"


@dataclass(frozen=True)
class Options(Timed):
    """process.monitor's."""


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per name of a program; the words of the line and the group's members are such names."""
    options, more = parse("process.monitor", Options, arguments)
    wanted = {word: _wanted(word) for word in (*more, *hosts)}
    if not wanted:
        raise UsageError("process.monitor: it wants names of programs: right would be 'process.monitor nginx:2-8 ;;'")
    counts: Counter[str] | None = None

    async def probe(word: str, watch: Stopwatch) -> str:
        nonlocal counts
        if counts is None:
            counts = await aside("/proc", lambda: Counter(running()))
        one = wanted[word]
        count = counts[one.name]
        if count < one.least or (one.most is not None and count > one.most):
            raise Sick(f"{count} of {one.name} run, wanted are {one}")
        return f"{count} of {one.name} run"

    reports = []
    for word in wanted:  # one after the other: the first looks for all
        reports += await check_hosts([word], options.timeout, probe)
    return reports


def _wanted(word: str) -> Wanted:
    match = _WANTED.fullmatch(word)
    if match is None:
        return Wanted(word, 1, None)
    least = int(match["least"] or 0)
    most = int(match["most"]) if match["most"] else None
    if most is not None and most < least:
        raise UsageError(f"process.monitor: {word!r} wants at least {least} and at most {most}")
    return Wanted(match["name"], least, most)


def running(proc: Path = Path("/proc")) -> Iterator[str]:
    """The names of each process that lives; a process may have two, and is there under both."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                stat, line = (entry / "stat").read_text(errors="replace"), (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has ended meanwhile
            yield from names(stat, line)


def names(stat: str, command_line: bytes) -> set[str]:
    r"""A process's names: its command, which ends after 15 bytes, and what its command line begins with.

    >>> sorted(names("1 (python3) S 0", b"/usr/bin/python3\0/srv/shop.py\0-v\0"))
    ['python3', 'shop.py']
    """
    command, _, rest = stat.partition("(")[2].rpartition(")")
    if rest.split()[:1] and rest.split()[0] in _DEAD:
        return set()
    found = {command}
    words = command_line.decode("utf-8", "replace").split("\0")
    first = PurePath(words[0].split(" ", 1)[0].lstrip("-").rstrip(":")).name
    if first:
        found.add(first)
    if _INTERPRETER.fullmatch(first) and len(words) > 1 and not words[1].startswith("-"):
        found.add(PurePath(words[1]).name)
    return found - {""}
