# SPDX-License-Identifier: GPL-2.0-or-later
"""Logical lines: comments, continuations and the places of both."""

from __future__ import annotations

import pytest

from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.lines import logical_lines


def lines(text: bytes | str) -> tuple[list[tuple[int, str]], list[str]]:
    notices: list[str] = []
    found = [(place.line, text) for place, text in logical_lines(text, "f", notices)]
    return found, notices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "")]),
        ("a\n", [(1, "a")]),
        (" a \r\n\n\tb", [(1, "a"), (2, ""), (3, "b")]),
        ("# c\n  # c\na # b\n", [(3, "a # b")]),
        ("one \\  \n  two\\\n\tthree\nfour", [(3, "one twothree"), (4, "four")]),
        ("a \\\n # skipped\n b\n", [(3, "a b")]),
        ("# no continuation \\\na\n", [(2, "a")]),
        ("a\\\n\nb\n", [(2, "a"), (3, "b")]),
        ("a\\\\\nb\n", [(2, "a\\b")]),
        ("a\x85b\u2028c\n", [(1, "a\x85b\u2028c")]),
        (b"k\xe4fer \xc3\xa4\n", [(1, "k\udce4fer \xe4")]),
    ],
)
def test_lines(text: bytes | str, expected: list[tuple[int, str]]) -> None:
    assert lines(text) == (expected, [])


def test_a_file_that_ends_within_a_line() -> None:
    assert lines("a\nb \\\n") == (
        [(1, "a"), (2, "b")],
        ["f:2: the file ends within a continued line, which is taken as it stands"],
    )


def test_places_that_m4_tells() -> None:
    text = 'a\n#line 7 "x.inc"\nb\\\n#line 9\nc\n#line 3 "f"\nd\n'
    places = [(str(place), text) for place, text in logical_lines(text, "f", [])]
    assert places == [("f:1", "a"), ("x.inc:9", "bc"), ("f:3", "d")]


def test_a_nul_byte() -> None:
    with pytest.raises(ConfigError, match=r"^f:2: a NUL byte: a configuration is text$"):
        lines(b"a\nb\0c\n")
