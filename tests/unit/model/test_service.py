# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import Address, Family, Protocol, ServiceKey, VirtualService

VIP = Address.parse("192.0.2.1")
VIP6 = Address.parse("2001:db8::1")


def test_keys_that_differ_in_anything_are_different() -> None:
    keys = {
        ServiceKey.at(Protocol.TCP, VIP, 80),
        ServiceKey.at(Protocol.UDP, VIP, 80),
        ServiceKey.at(Protocol.TCP, VIP, 81),
        ServiceKey.at(Protocol.TCP, VIP6, 80),
        ServiceKey.marked(7),
        ServiceKey.marked(7, Family.IPV6),
    }
    assert len(keys) == 6
    assert ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80) in keys


@pytest.mark.parametrize(
    "fields",
    [
        (Family.IPV4, Protocol.TCP, VIP6, 80, 0),
        (Family.IPV4, Protocol.TCP, None, 80, 0),
        (Family.IPV4, None, VIP, 80, 0),
        (Family.IPV4, Protocol.TCP, VIP, 80, 7),
        (Family.IPV4, None, None, 80, 7),
    ],
)
def test_a_key_is_either_a_mark_or_an_address(fields: tuple[Family, Protocol | None, Address | None, int, int]) -> None:
    with pytest.raises(ValueError, match="either a mark or protocol, address and port"):
        ServiceKey(*fields)


def test_the_mask_defaults_to_the_whole_address() -> None:
    assert VirtualService(ServiceKey.at(Protocol.TCP, VIP, 80)).mask == 0xFFFFFFFF
    assert VirtualService(ServiceKey.marked(7, Family.IPV6)).mask == 128
    assert VirtualService(ServiceKey.marked(7), netmask=0).mask == 0
