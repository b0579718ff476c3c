# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual addresses as they are written."""

from __future__ import annotations

import pytest

from bpvs.realserver.plan import ANYWHERE, parse_vip


def test_anywhere_holds_every_address() -> None:
    assert ANYWHERE.mapped_bits == 0


@pytest.mark.parametrize("text", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fd00::1"])
def test_virtual_addresses(text: str) -> None:
    assert str(parse_vip(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("255.255.255.255", "broadcast"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("::ffff:192.0.2.1", "an IPv4-mapped address"),
    ],
)
def test_what_can_be_no_virtual_address_is_told_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{text} cannot be a virtual address: it is {reason}"):
        parse_vip(text)
