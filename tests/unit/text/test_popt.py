# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.text.errors import BadOption
from bpvs.text.popt import NO_VALUE, OPTIONAL_VALUE, VALUE, OptionScanner

LONG = {"list": "list", "numeric": "numeric", "tcp": "tcp", "persistent": "persistent"}
SHORT = {"L": "list", "n": "numeric", "t": "tcp", "p": "persistent"}
VALUES = {"list": NO_VALUE, "numeric": NO_VALUE, "tcp": VALUE, "persistent": OPTIONAL_VALUE}


def scan(*words: str) -> tuple[list[tuple[str, str | None]], list[str]]:
    scanner = OptionScanner(list(words), LONG, SHORT, VALUES)
    return list(scanner), scanner.leftovers


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["-L", "-n"], [("list", None), ("numeric", None)]),
        (["-Ln"], [("list", None), ("numeric", None)]),
        (["-Lt", "x"], [("list", None), ("tcp", "x")]),
        (["-tx"], [("tcp", "x")]),
        (["-t=x"], [("tcp", "x")]),
        (["-t="], [("tcp", "")]),
        (["--tcp=x"], [("tcp", "x")]),
        (["--tcp="], [("tcp", "")]),
        (["--tcp", "-n"], [("tcp", "-n")]),
        (["-p"], [("persistent", None)]),
        (["-p", "-n"], [("persistent", None), ("numeric", None)]),
        (["-p", "5"], [("persistent", "5")]),
        (["-p5"], [("persistent", "5")]),
        (["-p", ""], [("persistent", "")]),
        (["-np", "-L"], [("numeric", None), ("persistent", None), ("list", None)]),
    ],
)
def test_options_and_values(words: list[str], options: list[tuple[str, str | None]]) -> None:
    assert scan(*words) == (options, [])


def test_what_is_no_option_is_left_over() -> None:
    assert scan("a", "-L", "-", "", "--", "-n", "b") == ([("list", None)], ["a", "-", "", "-n", "b"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-L", "-q"], "-q: unknown option"),
        (["-Lq"], "-Lq: unknown option"),
        (["--num"], "--num: unknown option"),
        (["---n"], "---n: unknown option"),
        (["-L-n"], "-L-n: unknown option"),
        (["-t"], "-t: missing argument"),
        (["-Lt"], "-Lt: missing argument"),
        (["--numeric=3"], "--numeric=3: option does not take an argument"),
        (["-n=3"], "-n=3: option does not take an argument"),
    ],
)
def test_refusals_quote_the_word(words: list[str], message: str) -> None:
    with pytest.raises(BadOption) as caught:
        scan(*words)
    assert str(caught.value) == message
    assert (caught.value.code, caught.value.stops_restore) == (255, False)
