# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that is changed in what a side printed before it is compared, and why; nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Timeouts of IPVS in seconds. A timer is told as the timeout that it was started with, since seconds may have passed:
# those of one line of this table are not told apart.
_TIMEOUTS = (4, 10, 30, 61, 120, 300, 360, 900)


def output(text: str) -> list[str]:
    """Lines of a command's output; those of a file without a last newline are told so."""
    lines = text.split("\n")
    if lines[-1]:
        return [*lines, "\\ no newline at the end"]
    return lines[:-1]


def timeout(expires: str, more: Iterable[int], late: int = 0) -> int:
    """The timeout that a timer `mm:ss` or of seconds was started with: the next longer one that there is.

    `late`: full seconds that the timer ran at least. A slow machine may take longer to look than a timer takes to
    fall below another timeout.
    """
    minutes, _, seconds = expires.rpartition(":")
    left = 60 * int(minutes or 0) + int(seconds)
    return min((one for one in {*_TIMEOUTS, *more} if one >= left + late), default=left)


def connections(rows: list[str], more: Iterable[int]) -> list[str]:
    """Rows of `-L -c`, sorted: the kernel's order is that of a hash with a seed.

    Each once: the kernel's file is read in pieces, and what is at their border shows in both.
    """

    def settled(found: re.Match[str]) -> str:
        return f"{found[1]}{timeout(found[2], more):5d}s"

    return sorted({re.sub(r"^(\S+ +)(\d+:\d\d)", settled, row) for row in rows}, key=_by_client)


def proc_connections(rows: list[str], more: Iterable[int]) -> list[str]:
    """Rows of ip_vs_conn or ip_vs_conn_sync: the seconds left are the first number behind the state and origin."""

    def settled(found: re.Match[str]) -> str:
        return f"{found[1]}{timeout(found[2], more):>{len(found[2])}}"

    return sorted({re.sub(r"^((?:\S+ +){7}\S+(?: +LOCAL| +SYNC)?)( +\d+)", settled, row) for row in rows})


def proc_services(lines: list[str]) -> list[str]:
    """Services of ip_vs, sorted, each with its servers: the kernel's order is that of a hash over a pointer."""
    services: list[list[str]] = []
    for line in lines[3:]:
        if line.startswith("  ->"):
            services[-1].append(line)
        else:
            services.append([line])
    return lines[:3] + [line for service in sorted(services) for line in service]


def _by_client(row: str) -> tuple[str, str]:
    words = row.split()
    return words[3] if len(words) > 3 else "", row
