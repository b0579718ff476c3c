# SPDX-License-Identifier: GPL-2.0-or-later
"""Every accepted difference between what IPVS and BPVS print in a scenario; docs/reference/differs.md is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/reference/differs.md"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Lines of IPVS and of BPVS, as patterns of the whole (joined by newlines), in scenarios whose names fit a glob."""

    scenarios: str
    real: str
    ours: str
    told: str
    because: str

    def concerns(self, scenario: str) -> bool:
        return fnmatchcase(scenario, self.scenarios)


ACCEPTED: tuple[Accepted, ...] = ()

_HEAD = """\
# Accepted differences

Made by `make oracle` from `tests/oracle/accepted.py`; do not edit. The oracle plays each scenario of
`tests/oracle/scenarios` with ipvsadm on the kernel's IPVS (Linux 6.1) and with BPVS and compares every line that they
print: output, servers chosen, states, timers, counters, packets. These are the differences that it accepts, and it
fails when one of them no longer occurs. What they mean to an operator is in
[differs from IPVS](../differs-from-ipvs.md).

"""


def page() -> str:
    """The text of docs/reference/differs.md."""
    if not ACCEPTED:
        return f"{_HEAD}There are none.\n"
    rows = [f"| `{one.scenarios}` | {one.told} | {one.because} |" for one in ACCEPTED]
    return "\n".join([f"{_HEAD}| Scenarios | Difference | Because |", "|---|---|---|", *rows, ""])
