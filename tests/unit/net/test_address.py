# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses judged by their bits."""

from __future__ import annotations

import pytest

from bpvs.model import Address
from bpvs.net.address import is_local, is_unicast


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "127.0.0.1", "223.255.255.255", "240.0.0.1", "1.0.0.0", "::1", "2001:db8::", "fec0::1", "fe00::1"],
)
def test_unicast(text: str) -> None:
    assert is_unicast(Address.parse(text))


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "0.1.2.3", "224.0.0.0", "239.255.255.255", "255.255.255.255", "::", "ff00::", "fe80::1", "febf::1"],
)
def test_not_unicast(text: str) -> None:
    assert not is_unicast(Address.parse(text))


@pytest.mark.parametrize(
    ("text", "local"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback_addresses_are_this_hosts(text: str, local: bool) -> None:
    assert is_local(Address.parse(text)) is local
