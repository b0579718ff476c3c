# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of accepted differences: each tells of scenarios that there are and of a row that operators can read."""

from __future__ import annotations

from tests.mon.oracle.accepted import ACCEPTED, Accepted, rows
from tests.mon.oracle.facts import ABSENT, Difference, differences
from tests.mon.oracle.scenarios import SCENARIOS

REAL = {"round 1 call a": {"stdin": "x", "MON_A": "1"}, "round 1 call b": {"stdin": ""}}
OURS = {"round 1 call a": {"stdin": "y", "MON_A": "1"}, "round 2 call b": {"stdin": ""}}


def test_each_entry_stands_in_the_page_and_names_a_scenario() -> None:
    told = rows()
    for one in ACCEPTED:
        assert one.row in told, one
        assert any(one.concerns(scenario.name) for scenario in SCENARIOS), one


def test_scenarios_have_names_of_their_own() -> None:
    names = [one.name for one in SCENARIOS]
    assert len(set(names)) == len(names) >= 25


def test_differences_are_facts_of_one_place_or_places_that_one_side_has() -> None:
    assert list(differences("s", REAL, OURS)) == [
        Difference("s", "round 1 call a", "stdin", "x", "y"),
        Difference("s", "round 1 call b", "there", "yes", ABSENT),
        Difference("s", "round 2 call b", "there", ABSENT, "yes"),
    ]


def test_a_difference_is_accepted_by_all_that_it_is() -> None:
    found = Difference("letters", "round 1 call a", "stdin", "x\ny", "")
    accepted = Accepted("row", "let*", "round 1 .*", "stdin", "x.y", "")
    assert accepted.covers(found)
    for other in (
        Difference("words", found.place, "stdin", "x\ny", ""),
        Difference("letters", "round 2 call a", "stdin", "x\ny", ""),
        Difference("letters", found.place, "stdout", "x\ny", ""),
        Difference("letters", found.place, "stdin", "x\ny\n", ""),
        Difference("letters", found.place, "stdin", "x\ny", "z"),
    ):
        assert not accepted.covers(other)
