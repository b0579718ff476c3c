# SPDX-License-Identifier: GPL-2.0-or-later
"""Times and sizes with units, as monitors of this machine take them."""

from __future__ import annotations

import re

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]?)", re.ASCII)


def duration(text: str) -> float:
    """Seconds, of `90`, `90s`, `10m`, `1.5h` or `2d`."""
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].lower() not in _SECONDS:
        raise ValueError(f"{text!r} is no time: right would be 90s, 10m, 1.5h or 2d")
    return float(match[1]) * _SECONDS[match[2].lower()]


def size(text: str, unit: int = 1) -> int:
    """Bytes, of `100`, `10K`, `5M`, `1.5G` or `1T`; a bare number counts in `unit` bytes."""
    match = _NUMBER.fullmatch(text)
    if match is None or match[2].upper() not in _BYTES:
        raise ValueError(f"{text!r} is no size: right would be 100, 10K, 5M, 1.5G or 1T")
    return int(float(match[1]) * (_BYTES[match[2].upper()] if match[2] else unit))
