# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of outer source addresses, as `bpvs up --tunnel-sources` takes them."""

from __future__ import annotations

import pytest

from bpvs.director.spread import Prefix
from bpvs.model import DirectorError


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("172.16.0.0/16", 0xFFFF),
        ("10.0.0.0/8", 0xFFFFFF),
        ("192.0.2.4/31", 1),
        ("fd00::/96", 0xFFFFFFFF),
        ("fd00::/64", 0xFFFFFFFF),
        ("fd00::10/127", 1),
    ],
)
def test_the_bits_that_vary(text: str, mask: int) -> None:
    prefix = Prefix.parse(text)
    assert prefix.mask == mask
    assert str(prefix) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("172.16.0.1/16", "bits set behind its first 16"),
        ("172.16.0.0", "right would be 172.16.0.0/16"),
        ("172.16.0.0/32", "right would be"),
        ("172.16.0.0/0", "right would be"),
        ("fd00::/x", "right would be fd00::/112"),
        ("net/8", "is not an IP address"),
    ],
)
def test_what_is_no_network(text: str, words: str) -> None:
    with pytest.raises(DirectorError, match=words):
        Prefix.parse(text)
