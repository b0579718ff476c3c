# SPDX-License-Identifier: GPL-2.0-or-later
"""What a built-in monitor saw, host by host, and the same as the text that an executable one would print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Phase:
    """A step of a check that ended: its name (resolve, connect, tls, send, first byte, answer, ...) and its seconds."""

    name: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class HostReport:
    """One host: was all well, what was seen in one line, in how much time, and more lines for people."""

    host: str
    is_ok: bool
    text: str
    phases: tuple[Phase, ...] = ()
    detail: str = ""


def status_of(reports: Sequence[HostReport]) -> int:
    """The exit code: 0 if all hosts are well."""
    return int(not all(report.is_ok for report in reports))


def output_of(reports: Sequence[HostReport]) -> bytes:
    r"""mon's convention: the failed hosts sorted in line 1 (empty if none), then a line for each host with its time.

    >>> output_of([HostReport("b", False, "refused"), HostReport("a", True, "200 OK", (Phase("answer", 0.0123),))])
    b'b\n\nHOST b: refused\nHOST a: 200 OK (12.3 ms)\n'
    """
    summary = " ".join(sorted(report.host for report in reports if not report.is_ok))
    lines = [summary, ""]
    for report in reports:
        seconds = sum(phase.seconds for phase in report.phases)
        lines.append(f"HOST {report.host}: {report.text}" + (f" ({seconds * 1000:.1f} ms)" if report.phases else ""))
        lines += report.detail.splitlines()
    return ("\n".join(lines) + "\n").encode()
