# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames by which neighbours learn of an address, unasked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from bpvs.model import Address, Family
from bpvs.net.announce import _advertisement, _arp

MAC = "02:00:00:00:00:17"
MACS = some.binary(min_size=6, max_size=6)


def test_arp_announcement() -> None:
    """RFC 5227: sender and target are the address."""
    expected = Ether(dst="ff:ff:ff:ff:ff:ff", src=MAC) / ARP(
        op="who-has", hwsrc=MAC, psrc="10.0.1.77", hwdst="00:00:00:00:00:00", pdst="10.0.1.77"
    )
    assert _arp(bytes.fromhex(MAC.replace(":", "")), Address.parse("10.0.1.77").packed) == bytes(expected)


@given(mac=MACS, packed=some.binary(min_size=16, max_size=16))
def test_neighbour_advertisement(mac: bytes, packed: bytes) -> None:
    """RFC 4861, 7.2.6: not solicited, override; the checksum is right for every address."""
    address, station = str(Address(Family.IPV6, packed)), mac.hex(":")
    expected = (
        Ether(dst="33:33:00:00:00:01", src=station)
        / IPv6(src=address, dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=0, S=0, O=1, tgt=address)
        / ICMPv6NDOptDstLLAddr(lladdr=station)
    )
    assert _advertisement(mac, packed) == bytes(expected)
