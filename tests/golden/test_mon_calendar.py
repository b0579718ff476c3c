# SPDX-License-Identifier: GPL-2.0-or-later
"""The answers of Perl's Time::Period 1.25, in or out or no period at all, are those of our calendars."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong

RESULTS = Path(__file__).parent / "mon" / "15_time_period" / "results.txt"
# Perl stops at the first part that answers, and never sees what comes after it.
LAZY = {"wd {Sun-Sat}, junk", "wd {Mon}, junk"}


def answers() -> Iterator[tuple[str, str, int]]:
    for line in RESULTS.read_text().splitlines():
        found = re.fullmatch(r"'(.*)' +\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)  -> (-?\d)", line)
        assert found, line
        yield found[1], found[2], int(found[3])


@pytest.mark.parametrize(("text", "moment", "answer"), list(answers()))
def test_the_same_answer(text: str, moment: str, answer: int) -> None:
    if answer == -1 or text in LAZY:
        with pytest.raises(Wrong):
            parse_calendar(text)
    else:
        assert (time.strptime(moment, "%Y-%m-%d %H:%M:%S") in parse_calendar(text)) is bool(answer)
