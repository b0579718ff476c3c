# SPDX-License-Identifier: GPL-2.0-or-later
"""Words as a shell splits them."""

from __future__ import annotations

import pytest

from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.words import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        (" \t", ()),
        ("a  b\tc", ("a", "b", "c")),
        (r'"a b" ' + "'c d' e\\ f", ("a b", "c d", "e f")),
        (r'"x\"y" "a\\b" "a\bc"', ('x"y', "a\\b", "abc")),
        (r"'z\w'", (r"z\w",)),
        ("$HOME ~ * ;x | `id` $(id) > <", ("$HOME", "~", "*", ";x", "|", "`id`", "$(id)", ">", "<")),
        ("\"\" end ''", ("", "end", "")),
        ("a'b c'\"d e\"f", ("ab cd ef",)),
        ("a\xa0b", ("a\xa0b",)),
        ("\udce4", ("\udce4",)),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('un"balanced', 'the quote " is not closed: close it, or write \\" for the character'),
        ("it's", "the quote ' is not closed: close it, or write \\' for the character"),
        ('"a\\"', 'the quote " is not closed'),
        ("a \\", "nothing follows the last backslash: write \\\\ for a backslash"),
    ],
)
def test_what_is_left_open(text: str, says: str) -> None:
    with pytest.raises(Wrong) as caught:
        split_words(text)
    assert str(caught.value).startswith(says)
