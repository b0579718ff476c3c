# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios that every run of the tests plays, wherever the virtual machine can be had: some minutes."""

from __future__ import annotations

import pytest

from tests.oracle.scenarios import SCENARIOS
from tests.oracle.theatre import judge, play

VM_S = 900  # a machine with nothing else to do takes a quarter of it


@pytest.mark.timeout(VM_S + 300)
def test_bpvs_plays_the_subset_as_ipvs_does() -> None:
    names = [name for name, scenario in SCENARIOS.items() if scenario.always]
    played = play(names, VM_S, jobs=1)
    found = "\n\n".join(filter(None, (judge(played, name) for name in names)))
    assert not found, found
