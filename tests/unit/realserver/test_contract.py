# SPDX-License-Identifier: GPL-2.0-or-later
"""What the package reads from the object is what the header says, and what the manual tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpvs.model import DirectorError
from bpvs.realserver.contract import contract

ROOT = Path(__file__).resolve().parents[3]
HEADER = (ROOT / "bpf/include/bpvs/realserver/abi.h").read_text(encoding="utf-8")
MANUAL = (ROOT / "man/bpvs.8").read_text(encoding="utf-8").partition(".Sh REAL SERVERS")[2].partition(".Sh FILES")[0]
FATES = {
    int(number): name
    for name, number in re.findall(r"^\t((?:ENDED|LEFT|DROPPED|TOA)_\w+) = (\d+),", HEADER, re.MULTILINE)
}


def test_every_fate_is_known_by_its_number() -> None:
    assert len(FATES) == 16
    assert contract().fates == FATES


@pytest.mark.parametrize("name", FATES.values())
def test_the_manual_tells_every_fate(name: str) -> None:
    group, _, rest = name.partition("_")
    title = group if group == "TOA" else group.lower()
    words = rest.lower().replace("_", " ")
    tunnels = re.search(r"\.It ended ([a-z ,]+)\n", MANUAL)
    assert tunnels
    assert f"\n.It {title} {words}\n" in MANUAL or (group == "ENDED" and words in tunnels[1].split(" , "))


def test_layouts() -> None:
    assert contract().prefix.size == 20
    assert contract().settings.offset("netns") % 8 == 0
    assert contract().settings.width("cgroup") == contract().numbers["CGROUP_PATH"]


def test_an_object_that_is_missing_is_told_how_to_make() -> None:
    with pytest.raises(DirectorError, match="`make setup` builds it"):
        contract(ROOT / "nosuch.bpf.o")
