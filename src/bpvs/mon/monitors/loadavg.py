# SPDX-License-Identifier: GPL-2.0-or-later
"""loadavg.monitor: is this machine's load below limits, and is there memory left.

`loadavg.monitor ONE FIVE FIFTEEN [PERCENT] ;;` as mon has it: the load averages of so many minutes, and how much of
memory and swap together may be in use (90).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.mon.monitors.options import Timed, parse
from bpvs.mon.monitors.report import HostReport
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PERCENT = 90.0


@dataclass(frozen=True)
class Options(Timed):
    """loadavg.monitor's."""


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """A report on the load and one on the memory."""
    _, words = parse("loadavg.monitor", Options, arguments)
    *limits, percent = _numbers((*words, *hosts))
    proc = Path("/proc")
    return [load(proc, limits), memory(proc, percent)]


def _numbers(words: Sequence[str]) -> list[float]:
    if not 3 <= len(words) <= 4 or not all(word.replace(".", "", 1).isdigit() for word in words):
        wrong = f"{' '.join(words)!r} is not ONE FIVE FIFTEEN [PERCENT]"
        raise UsageError(f"loadavg.monitor: {wrong}: right would be 'loadavg.monitor 8 6 4 ;;' (;; keeps hosts away)")
    numbers = [float(word) for word in words]
    return numbers if len(numbers) == 4 else [*numbers, _PERCENT]


def load(proc: Path, limits: Sequence[float]) -> HostReport:
    """The load averages: none above its limit."""
    averages = [float(word) for word in (proc / "loadavg").read_text().split()[:3]]
    is_ok = all(average <= limit for average, limit in zip(averages, limits, strict=True))
    return HostReport("load", is_ok, f"{_text(averages)}, limits {_text(limits)}")


def memory(proc: Path, limit: float) -> HostReport:
    """The share of memory and swap in use: not above the limit."""
    lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    kib = {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1}
    whole = kib["MemTotal"] + kib["SwapTotal"]
    percent = 100 * (whole - kib["MemAvailable"] - kib["SwapFree"]) / whole
    return HostReport("memory", percent <= limit, f"{percent:.0f} % of memory and swap in use, limit {limit:g} %")


def _text(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:g}" for number in numbers)
