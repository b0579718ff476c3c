# SPDX-License-Identifier: GPL-2.0-or-later
"""mon.cf(5) has every keyword that is read, and its examples are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.config import parse
from bpvs.text.mon.period import ALERTS, PERIOD_KEYWORDS
from bpvs.text.mon.service import DEPENDENCIES, SERVICE_KEYWORDS
from bpvs.text.mon.settings import SERVICE_DEFAULTS, SETTINGS

PAGE = (Path(__file__).parents[3] / "man/mon.cf.5").read_text()
KEYWORDS = {
    "SETTINGS": {*SETTINGS, *SERVICE_DEFAULTS},
    "SECTIONS": {"hostgroup", "watch", "view", "alias"},
    "SERVICES": {"monitor", *DEPENDENCIES, *SERVICE_KEYWORDS},
    "PERIODS": {*ALERTS, *PERIOD_KEYWORDS},
}


def section(name: str) -> str:
    found = re.search(rf"^\.Sh {name}$(.*?)^\.Sh ", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_section_has_the_keywords_that_are_read_there_and_no_others(name: str) -> None:
    items = re.findall(r"^\.It Ic (.*)$", section(name), re.MULTILINE)
    words = {word for item in items for word in re.split(r" (?:Ar|Op|Oo|Cm) ", item)[0].split(" , ")}
    assert words == KEYWORDS[name]


def test_the_examples_are_in_order() -> None:
    first, second = re.findall(r"^\.Bd .*?$\n(.*?)^\.Ed$", PAGE, re.MULTILINE | re.DOTALL)
    assert not parse(first).notices
    assert len(parse(first).services) == 1
    assert len(parse_calendar(second).alternatives) == 2
