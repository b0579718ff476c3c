# SPDX-License-Identifier: GPL-2.0-or-later
"""freespace.monitor: has a file system of this machine enough free bytes and inodes.

`freespace.monitor PATH:FREE[:INODES]... ;;` as mon has it. FREE counts in KiB, or has a unit (M, G, T), or is a share
(5%); INODES is a number or a share, 10% if it is not given. PATH has to be a mount point: otherwise what was mounted
there is gone, and the free space of another file system would be looked at.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bpvs.mon.monitors.aside import aside
from bpvs.mon.monitors.check import check_host
from bpvs.mon.monitors.options import Timed, parse
from bpvs.mon.monitors.quantity import size
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%", re.ASCII)
_KIB = 1 << 10
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Least(NamedTuple):
    """A lower limit: an amount, or a share of the whole."""

    amount: int
    share: float

    def of(self, whole: int) -> int:
        """The limit where there is so much in all."""
        return max(self.amount, int(whole * self.share))


class Wanted(NamedTuple):
    """What is wanted of the file system at `path`."""

    path: str
    free: Least
    inodes: Least


@dataclass(frozen=True)
class Options(Timed):
    """freespace.monitor's."""


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per file system; the words of the line and the group's members name them."""
    options, more = parse("freespace.monitor", Options, arguments)
    wanted = [_wanted(word) for word in (*more, *hosts)]
    if not wanted:
        raise UsageError("freespace.monitor: it wants file systems: right would be 'freespace.monitor /var:5% ;;'")
    return [await check_host(one.path, options.timeout, partial(_probe, one)) for one in wanted]


def _wanted(word: str) -> Wanted:
    path, *limits = word.split(":")
    try:
        if not path.startswith("/") or not 1 <= len(limits) <= 2:
            raise ValueError(f"{word!r} is not PATH:FREE[:INODES]: right would be /var:500M or /var:5%:10%")
        return Wanted(path, _least(limits[0], _KIB), _least(limits[1] if limits[1:] else "10%", 1))
    except ValueError as error:
        raise UsageError(f"freespace.monitor: {error}") from None


def _least(text: str, unit: int) -> Least:
    share = _SHARE.fullmatch(text)
    return Least(0, float(share[1]) / 100) if share else Least(size(text, unit), 0.0)


async def _probe(wanted: Wanted, path: str, watch: Stopwatch) -> str:
    watch.begin("look")
    return await aside(path, lambda: look(wanted))


def look(wanted: Wanted) -> str:
    """What is to be said of the file system; Sick."""
    if wanted.path not in mount_points(Path("/proc/self/mountinfo").read_text(errors="surrogateescape")):
        raise Sick("is not a mount point")
    try:
        facts = os.statvfs(wanted.path)
    except OSError as error:
        raise Sick(f"cannot be looked at: {error.strerror}") from None
    free, whole = facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
    if free < wanted.free.of(whole):
        raise Sick(f"{_text(free)} free of {_text(whole)}, wanted are {_text(wanted.free.of(whole))}")
    # A file system that makes inodes as it needs them, such as btrfs, counts none.
    if facts.f_files and facts.f_favail < wanted.inodes.of(facts.f_files):
        raise Sick(f"{facts.f_favail} inodes free of {facts.f_files}, wanted are {wanted.inodes.of(facts.f_files)}")
    return f"{_text(free)} free of {_text(whole)}"


def mount_points(mountinfo: str) -> set[str]:
    """The fifth field of each line (proc_pid_mountinfo(5)), in which blanks are octal."""
    fields = (line.split(" ") for line in mountinfo.splitlines())
    return {_ESCAPED.sub(lambda digits: chr(int(digits[1], 8)), field[4]) for field in fields if len(field) > 4}


def _text(amount: int) -> str:
    return f"{amount / (1 << 30):.1f} GiB" if amount >= 1 << 30 else f"{amount / (1 << 20):.1f} MiB"
