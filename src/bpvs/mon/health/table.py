# SPDX-License-Identifier: GPL-2.0-or-later
"""A snapshot as a table for people: a line for each server of each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.mon.alerts.telling import one_line
from bpvs.mon.health.words import age, outs, result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpvs.mon.health.client import Snapshot
    from bpvs.mon.health.words import Part

    Paint = Callable[..., str]

HEAD = ("GROUP", "SERVICE", "SERVER", "STATE", "SINCE", "LAST RESULT", "NEXT", "FLAPS")
_STATE = HEAD.index("STATE")
_LONGEST = 40  # characters of a result
_COLOURS = {"ok": "green", "fail": "red"}


def table(snapshot: Snapshot, paint: Paint) -> str:
    """The table, and a line that sums it up; `paint(text, *colours)` colours."""
    rows = [HEAD, *_rows(snapshot)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if row is HEAD:
            lines.append(paint("  ".join(cells).rstrip(), "bold"))
            continue
        state = row[_STATE]
        colour = _COLOURS.get(state.partition(",")[0], "yellow")
        cells[_STATE] = paint(state, colour) + " " * (widths[_STATE] - len(state))
        lines.append("  ".join(cells).rstrip())
    return "\n".join((*lines, paint(summed_up(snapshot), "dim"))) + "\n"


def summed_up(snapshot: Snapshot) -> str:
    """How many there are, how many of them fail, and what keeps the daemon from looking."""
    services = snapshot["services"]
    failing = sum(service["status"] == "fail" for service in services)
    out = len(snapshot["out"])
    words = [
        f"{len(services)} service{'' if len(services) == 1 else 's'}",
        f"{failing or 'none'} fail{'s' if failing == 1 else ''}",
        f"{out or 'no'} server{'' if out == 1 else 's'} out of a virtual service",
    ]
    if snapshot["daemon"]["stopped_since"]:
        words.append("the scheduler is stopped")
    return ", ".join(words)


def _rows(snapshot: Snapshot) -> Iterator[tuple[str, ...]]:
    now = snapshot["time"]
    for service in snapshot["services"]:
        due = service["next_check"]
        coming = "-" if service["not_started"] else age(due - now)
        if service["is_running"]:
            coming = "running"
        for host in service["hosts"] or [{"host": "-", "state": service["status"], "since": service["since"]}]:
            yield (
                service["group"],
                service["service"],
                host["host"],
                ", ".join((host["state"], *_remarks(snapshot, service, host))),
                "-" if host["since"] is None else age(now - host["since"]),
                _result(service, host),
                coming,
                str(service["flaps"]),
            )


def _remarks(snapshot: Snapshot, service: Part, host: Part) -> Iterator[str]:
    if any(True for _ in outs(snapshot, host["host"])):
        yield "out"
    if service["acknowledged"]:
        yield "acknowledged"
    if service["alerts_disabled"]:
        yield "no alerts"


def _result(service: Part, host: Part) -> str:
    if host["state"] in ("disabled", "excluded"):
        return "-"
    text = one_line(result(service, host["host"]))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
