# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scenario, on the kernel's IPVS and on BPVS in one virtual machine, compared line by line."""

from __future__ import annotations

import os

import pytest

from tests.oracle import recordings
from tests.oracle.accepted import PAGE, page
from tests.oracle.compare import REAL, Transcripts
from tests.oracle.scenarios import SCENARIOS
from tests.oracle.theatre import judge, no_longer, play

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(5000)]

VM_S = 4500
# ORACLE_ONLY="tcp states,sip" plays the scenarios whose names begin so.
NAMES = [name for name in SCENARIOS if name.startswith(tuple(os.environ.get("ORACLE_ONLY", "").split(",")))]


@pytest.fixture(scope="module")
def played() -> Transcripts:
    """What both sides printed."""
    return play(NAMES, VM_S, jobs=2)


@pytest.mark.parametrize("name", NAMES)
def test_bpvs_plays_as_ipvs_does(played: Transcripts, name: str) -> None:
    difference = judge(played, name)
    assert not difference, difference


def test_every_accepted_difference_occurs(played: Transcripts) -> None:
    assert not no_longer(played)


def test_what_ipvs_answered_is_kept(played: Transcripts) -> None:
    for name in NAMES:
        if SCENARIOS[name].is_replayed:
            recordings.save(name, recordings.Recording(SCENARIOS[name].number, played[REAL][name]))


def test_the_page_of_differences_is_written() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
