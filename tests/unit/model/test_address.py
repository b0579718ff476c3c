# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import Address, Family


@pytest.mark.parametrize("text", ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "::ffff:192.0.2.1"])
def test_parse_and_print_are_inverse(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "192.0.2", "192.0.2.256", "2001:db8::g", "fe80::1%lo", "host", " 192.0.2.1", "1\0"]
)
def test_anything_else_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address; right would be"):
        Address.parse(text)


def test_ipv4_is_mapped_into_sixteen_bytes() -> None:
    address = Address.parse("192.0.2.1")
    assert address.mapped == bytes.fromhex("00000000000000000000ffffc0000201")
    assert Address.from_mapped(Family.IPV4, address.mapped) == address


def test_mapped_ipv6_stays_ipv6() -> None:
    address = Address.parse("::ffff:192.0.2.1")
    assert address.is_ipv6
    assert Address.from_mapped(Family.IPV6, address.mapped) == address
    assert address != Address.parse("192.0.2.1")


@pytest.mark.parametrize(
    "text", ["1.0.0.0", "126.0.0.1", "169.254.0.1", "223.255.255.255", "::2:0", "fc00::1", "fec0::1"]
)
def test_unicast_is_routable(text: str) -> None:
    assert Address.parse(text).is_routable


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "febf::1", "ff02::1",
     "::ffff:192.0.2.1"],
)  # fmt: skip
def test_the_rest_is_not_routable(text: str) -> None:
    assert not Address.parse(text).is_routable


def test_the_length_must_fit_the_family() -> None:
    with pytest.raises(ValueError, match="an IPV6 address has 16 bytes, got 4"):
        Address(Family.IPV6, bytes(4))
