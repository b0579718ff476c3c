# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks and virtual addresses as they are written, and as the programs count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.model import Address
from bpvs.realserver.plan import ANYWHERE, Prefix, parse_vip


@pytest.mark.parametrize(
    ("text", "shown", "bits"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", 104),
        ("192.0.2.1", "192.0.2.1/32", 128),
        ("0.0.0.0/0", "0.0.0.0/0", 96),
        ("2001:db8::/32", "2001:db8::/32", 32),
        ("::/0", "::/0", 0),
    ],
)
def test_a_network_and_its_length_for_the_programs(text: str, shown: str, bits: int) -> None:
    prefix = Prefix.parse(text)
    assert str(prefix) == shown
    assert prefix.mapped_bits == bits
    assert Prefix.from_mapped(bits, prefix.address.mapped) == prefix


@given(st.ip_addresses(), st.integers(0, 32))
def test_networks_come_back_from_the_programs(address: object, bits: int) -> None:
    prefix = Prefix(Address.parse(str(address)), bits)
    assert Prefix.from_mapped(prefix.mapped_bits, prefix.address.mapped) == prefix


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "host", "", "10.0.0.0/8/8"])
def test_what_is_no_network_is_told_how_one_looks(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a network; right would be 10\.0\.0\.0/8 or 2001:db8::/32"):
        Prefix.parse(text)


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
