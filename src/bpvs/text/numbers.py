# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters in nine columns, as ipvsadm prints them."""

from __future__ import annotations

# (values below this, divided by this, unit); division cuts.
_UNITS = (
    (10**8, 1, ""),
    (10**9, 10**3, "K"),
    (10**11, 10**6, "M"),
    (10**14, 10**9, "G"),
)


def format_count(value: int, exact: bool = False) -> str:
    """One blank at least and the number, shortened by a unit of powers of 1000 where it is long; `exact` never does."""
    if exact:
        return f"{value:9d}" if value < 10**8 else f" {value}"
    for limit, divisor, unit in _UNITS:
        if value < limit:
            return f"{value // divisor:{9 - len(unit)}d}{unit}"
    return f"{value // 10**12:8d}T"
