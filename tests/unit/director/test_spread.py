# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of outer source addresses, as `bpvs up --tunnel-sources` takes them."""

from __future__ import annotations

import pytest

from bpvs.director.spread import mask, parse
from bpvs.model import DirectorError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("172.16.0.0/16", 0xFFFF),
        ("10.0.0.0/8", 0xFFFFFF),
        ("192.0.2.4/31", 1),
        ("fd00::/96", 0xFFFFFFFF),
        ("fd00::/64", 0xFFFFFFFF),
        ("fd00::10/127", 1),
    ],
)
def test_the_bits_that_vary(text: str, expected: int) -> None:
    assert mask(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("172.16.0.0", "right would be 172.16.0.0/16"),
        ("172.16.0.0/32", "right would be"),
        ("0.0.0.0/0", "right would be"),
        ("fd00::1", "right would be fd00::1/112"),
    ],
)
def test_what_is_no_network(text: str, words: str) -> None:
    with pytest.raises(DirectorError, match=words):
        parse(text)
