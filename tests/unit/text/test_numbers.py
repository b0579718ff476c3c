# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.text.numbers import format_count


@pytest.mark.parametrize(
    ("value", "short", "exact"),
    [
        (0, "        0", "        0"),
        (99_732_546, " 99732546", " 99732546"),
        (99_999_999, " 99999999", " 99999999"),
        (100_000_000, "  100000K", " 100000000"),
        (141_858_579, "  141858K", " 141858579"),
        (999_999_999, "  999999K", " 999999999"),
        (1_296_666_277, "    1296M", " 1296666277"),
        (99_999_999_999, "   99999M", " 99999999999"),
        (100_000_000_000, "     100G", " 100000000000"),
        (99_999_999_999_999, "   99999G", " 99999999999999"),
        (100_000_000_000_000, "     100T", " 100000000000000"),
        (2**64 - 1, "18446744T", " 18446744073709551615"),
    ],
)
def test_counts(value: int, short: str, exact: str) -> None:
    assert format_count(value).rjust(9) == short.rjust(9)
    assert len(format_count(value)) == 9
    assert format_count(value, exact=True) == exact
