# SPDX-License-Identifier: GPL-2.0-or-later
"""Times of the week, month and year, as Perl's Time::Period means them; `bpvs.text.mon.calendar` reads their text."""

from __future__ import annotations

from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from time import struct_time


@dataclass(frozen=True, slots=True)
class Calendar:
    """Alternatives, each a mapping from scale (yr mo wk yd md wd hr min sec) to the values that it allows.

    A moment is in the calendar if some alternative allows it on every one of its scales. One empty alternative is
    always, no alternative is never. `text` is the calendar as written.
    """

    text: str
    alternatives: tuple[Mapping[str, frozenset[int]], ...]

    def __contains__(self, moment: struct_time) -> bool:
        """Whether this local time is in it."""
        values = _values_of(moment)
        return any(all(values[scale] in allowed for scale, allowed in one.items()) for one in self.alternatives)


def _values_of(moment: struct_time) -> dict[str, int]:
    """The moment on every scale; weeks of a month begin on Sunday, and Sunday is day 1."""
    sunday_first = (moment.tm_wday + 1) % 7  # Sunday is 0
    first_weekday = (sunday_first - (moment.tm_mday - 1)) % 7  # of the month's first day
    return {
        "yr": moment.tm_year,
        "mo": moment.tm_mon,
        "wk": (moment.tm_mday + first_weekday - 1) // 7 + 1,
        "yd": moment.tm_yday,
        "md": moment.tm_mday,
        "wd": sunday_first + 1,
        "hr": moment.tm_hour,
        "min": moment.tm_min,
        "sec": min(moment.tm_sec, 59),
    }


ALWAYS = Calendar("", ({},))
