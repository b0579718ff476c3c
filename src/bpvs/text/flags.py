# SPDX-License-Identifier: GPL-2.0-or-later
"""Scheduler flags of `-b`: three bits that sh and mh have names for."""

from __future__ import annotations

from bpvs.model import FLAG_1, FLAG_2, FLAG_3
from bpvs.text.errors import UsageError

_PLAIN = {"flag-1": FLAG_1, "flag-2": FLAG_2, "flag-3": FLAG_3}
_NAMED = {
    "sh": {"sh-fallback": FLAG_1, "sh-port": FLAG_2},
    "mh": {"mh-fallback": FLAG_1, "mh-port": FLAG_2},
}


def parse_flags(text: str, scheduler: str) -> int:
    """The bits of a comma-separated list; empty items count for nothing; UsageError for a flag that is not known."""
    bits = 0
    names = [name for name in text.split(",") if name]
    if text and not names:
        raise UsageError(f"invalid scheduler flag `{text}'")
    for name in names:
        named = _NAMED.get(scheduler, {})
        if name not in named and name not in _PLAIN:
            fault = "incompatible" if any(name in names for names in _NAMED.values()) else "invalid"
            raise UsageError(f"{fault} scheduler flag `{name}'")
        bits |= named.get(name, 0) | _PLAIN.get(name, 0)
    return bits


def flag_names(flags: int, scheduler: str) -> list[str]:
    """All flags that are set, by the scheduler's name where it has one."""
    by_bit = {bit: name for names in (_PLAIN, _NAMED.get(scheduler, {})) for name, bit in names.items()}
    return [name for bit, name in by_bit.items() if flags & bit]


def format_flags(flags: int, scheduler: str) -> str:
    """The list for a service; with sh and mh flag-3 has no name and is left out, as in ipvsadm 1.31."""
    names = _NAMED.get(scheduler, _PLAIN)
    return ",".join(name for name, bit in names.items() if flags & bit)
