# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks as they are written, and as the programs count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.model import Address, InvalidNetwork
from bpvs.model.network import Network


@pytest.mark.parametrize(
    ("text", "bits"),
    [("10.0.0.0/8", 104), ("192.0.2.1", 128), ("0.0.0.0/0", 96), ("2001:db8::/32", 32), ("::1", 128), ("::/0", 0)],
)
def test_a_network_and_its_length_for_the_programs(text: str, bits: int) -> None:
    network = Network.parse(text)
    assert str(network) == text
    assert network.mapped_bits == bits


@given(st.ip_addresses(), st.integers(0, 128))
def test_networks_come_back_from_the_programs_and_from_text(address: object, length: int) -> None:
    host = Address.parse(str(address))
    bits = 8 * len(host.packed)
    length = min(length, bits)
    whole = int.from_bytes(host.packed, "big") >> (bits - length) << (bits - length)
    network = Network(Address(host.family, whole.to_bytes(len(host.packed), "big")), length)
    assert Network.parse(str(network)) == network
    if host.family.name == "IPV4" or not network.address.packed.startswith(bytes(10)):  # ::ffff:a.b.c.d is IPv4 there
        assert Network.from_mapped(network.mapped_bits, network.address.mapped) == network


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 has bits set behind its first 8"),
        ("10.0.0.0/33", "10.0.0.0/33: a length is 0 to 32"),
        ("10.0.0.0/x", "'10.0.0.0/x' is no network: right would be 10.0.0.0/24"),
        ("fd00::/", "'fd00::/' is no network: right would be fd00::/64"),
        ("10.0.0.0/8/8", "'10.0.0.0/8/8' is no network: right would be"),
        ("host", "'host' is no network: 'host' is not an IP address"),
        ("", "'' is no network"),
    ],
)
def test_what_is_no_network_is_told_why(text: str, words: str) -> None:
    with pytest.raises(InvalidNetwork, match=words):
        Network.parse(text)
