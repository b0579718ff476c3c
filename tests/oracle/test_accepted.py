# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of accepted differences is the page that operators read, and names scenarios that there are."""

from __future__ import annotations

from tests.oracle.accepted import ACCEPTED, PAGE, Accepted, page
from tests.oracle.compare import Difference, accepting, differences, shown
from tests.oracle.scenarios import SCENARIOS

REAL = ["a", "b", "c", "d"]
OURS = ["a", "B", "c", "d", "e"]
CAPITAL = Accepted("letters*", "b", "B", "a capital", "a test")
LONGER = Accepted("letters", "", "e", "a letter more", "a test")


def test_the_page_is_made_of_the_list() -> None:
    assert PAGE.read_text() == page()


def test_each_entry_names_a_scenario_and_a_reason() -> None:
    for one in ACCEPTED:
        assert any(one.concerns(name) for name in SCENARIOS), one
        assert one.told and one.because, one


def test_differences_are_found_and_accepted_by_scenario_and_lines() -> None:
    found = list(differences("letters", REAL, OURS))
    assert found == [Difference("letters", 1, ("b",), ("B",)), Difference("letters", 4, (), ("e",))]
    assert [accepting(one, (CAPITAL, LONGER)) for one in found] == [CAPITAL, LONGER]
    assert accepting(Difference("numbers", 1, ("b",), ("B",)), (CAPITAL,)) is None
    assert accepting(Difference("letters", 1, ("b",), ("BB",)), (CAPITAL,)) is None


def test_what_differs_stands_side_by_side_below_what_led_to_it() -> None:
    lines = shown(differences("letters", REAL, OURS), REAL).splitlines()
    assert [line.split() for line in lines] == [
        ["IPVS", "BPVS"],
        ["a", "="],
        ["b", "|", "B"],
        ["c", "="],
        ["d", "="],
        ["|", "e"],
    ]


def test_there_are_enough_scenarios() -> None:
    assert len(SCENARIOS) >= 60
