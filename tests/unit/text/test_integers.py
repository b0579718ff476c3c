# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.text.integers import leading_integer, parse_integer, signed32


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), (" 5", 5), ("\t+5", 5), ("007", 7), ("-3", -3), ("0", 0), ("0" * 50 + "9", 9)]
)
def test_numbers_that_strtol_takes_whole(text: str, value: int) -> None:
    assert parse_integer(text, -10, 10) == value


@pytest.mark.parametrize(
    "text", ["", " ", "5 ", "5x", "1.5", "0x10", "+", "--5", "+-5", "٣", "1_0", "9" * 30, "9" * 5000]
)
def test_everything_else_is_no_number(text: str) -> None:
    assert parse_integer(text, -(10**40), 10**40) is None


def test_bounds_are_included() -> None:
    assert [parse_integer(str(n), 1, 3) for n in range(5)] == [None, 1, 2, 3, None]


@pytest.mark.parametrize(
    ("text", "value"),
    [("64", 64), ("64x", 64), ("x64", 0), ("", 0), ("-1", -1), ("+7", 7), ("4294967297", 1), ("9" * 30, -1)],
)
def test_leading_integer_is_atoi(text: str, value: int) -> None:
    assert leading_integer(text) == value


def test_signed32_wraps_like_a_c_int() -> None:
    assert [signed32(v) for v in (0, 2**31 - 1, 2**31, 2**32 - 1, -(2**31) - 1)] == [
        0,
        2**31 - 1,
        -(2**31),
        -1,
        2**31 - 1,
    ]
