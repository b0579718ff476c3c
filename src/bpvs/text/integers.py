# SPDX-License-Identifier: GPL-2.0-or-later
"""Integers as the C library reads them."""

from __future__ import annotations

INT_MAX = 2**31 - 1
UINT_MAX = 2**32 - 1
LONG_MAX = 2**63 - 1
C_SPACE = " \t\n\v\f\r"


def parse_integer(text: str, lowest: int, highest: int) -> int | None:
    """A whole string read by strtol(3) in base 10, or None if something is left over or it is out of range.

    Leading blanks, one sign and leading zeros are fine; trailing characters, fractions and hexadecimal are not.
    """
    if len(text) < 19 and text.isascii() and text.isdigit():  # nearly all are
        value = int(text)
        return value if lowest <= value <= highest else None
    body = text.lstrip(C_SPACE)
    digits = body[1:] if body[:1] in ("+", "-") else body
    # Longer than any long: strtol says ERANGE, and int() would refuse absurd lengths with an exception of its own.
    if not (digits.isascii() and digits.isdigit()) or len(digits.lstrip("0")) > 19:
        return None
    value = -int(digits) if body[0] == "-" else int(digits)
    return value if lowest <= value <= highest else None


def leading_integer(text: str) -> int:
    """What atoi(3) makes of a string: the number that it begins with, cut to an int; 0 if it begins with none."""
    body = text.lstrip(C_SPACE)
    sign, digits = (-1, body[1:]) if body[:1] == "-" else (1, body.removeprefix("+"))
    end = 0
    while end < len(digits) and digits[end] in "0123456789":
        end += 1
    # Clipped to a long like strtol does it; twenty significant digits are enough to see that.
    value = sign * int(digits[:end].lstrip("0")[:20] or "0")
    return signed32(max(-LONG_MAX - 1, min(LONG_MAX, value)))


def signed32(value: int) -> int:
    """The low 32 bits of a value as a signed number, as a C int holds them."""
    return ((value & UINT_MAX) ^ 0x80000000) - 0x80000000
