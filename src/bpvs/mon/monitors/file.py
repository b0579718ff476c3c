# SPDX-License-Identifier: GPL-2.0-or-later
"""file.monitor: is a file there, is it young or old enough, is it of the right size, does a pattern match in it.

`file.monitor [--max-age 10m] [--min-age 1h] [--min-size 1] [--max-size 5M] [--match regex] FILE... ;;`
"""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bpvs.mon.monitors.aside import aside
from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import Timed, option, parse, regex
from bpvs.mon.monitors.quantity import duration, size
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch

_SEARCHED = 1 << 20  # bytes from its end


@dataclass(frozen=True)
class Options(Timed):
    """file.monitor's."""

    max_age: float | None = option("--max-age", duration, None)
    min_age: float | None = option("--min-age", duration, None)
    min_size: int | None = option("--min-size", size, None)
    max_size: int | None = option("--max-size", size, None)
    match: re.Pattern[bytes] | None = option("-m --match", regex, None)


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per file; the words of the line and the group's members are files."""
    options, more = parse("file.monitor", Options, arguments)
    if not more and not hosts:
        raise UsageError("file.monitor: it wants files: right would be 'file.monitor --max-age 10m /var/lib/x ;;'")
    return await check_hosts((*more, *hosts), options.timeout, partial(_probe, options))


async def _probe(options: Options, path: str, watch: Stopwatch) -> str:
    watch.begin("look")
    return await aside(path, lambda: look(options, path))


def look(options: Options, path: str) -> str:
    """What is to be said of the file; Sick."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if options.match else None
        try:
            facts = os.stat(path) if descriptor is None else os.fstat(descriptor)
            age = time.time() - facts.st_mtime
            _judge(options, facts.st_size, age)
            if options.match and descriptor is not None:
                _search(options.match, descriptor, facts)
        finally:
            if descriptor is not None:
                os.close(descriptor)
    except OSError as error:
        raise Sick(_REASONS.get(type(error)) or f"cannot be read: {error.strerror}") from None
    return f"{facts.st_size} bytes, changed {age:.0f} s ago"


_REASONS: dict[type[OSError], str] = {FileNotFoundError: "does not exist", NotADirectoryError: "does not exist"}


def _judge(options: Options, length: int, age: float) -> None:
    if options.max_age is not None and age > options.max_age:
        raise Sick(f"changed {age:.0f} s ago, wanted is at most {options.max_age:g} s")
    if options.min_age is not None and age < options.min_age:
        raise Sick(f"changed {age:.0f} s ago, wanted is at least {options.min_age:g} s")
    if options.min_size is not None and length < options.min_size:
        raise Sick(f"has {length} bytes, wanted are at least {options.min_size}")
    if options.max_size is not None and length > options.max_size:
        raise Sick(f"has {length} bytes, wanted are at most {options.max_size}")


def _search(pattern: re.Pattern[bytes], descriptor: int, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise Sick("is no regular file, so nothing can match in it")
    content = os.pread(descriptor, _SEARCHED, max(0, facts.st_size - _SEARCHED))
    if not pattern.search(content):
        raise Sick(f"nothing matches in its last {len(content)} bytes")
