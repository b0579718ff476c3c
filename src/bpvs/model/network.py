# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of both families: `ADDRESS/LENGTH`."""

from __future__ import annotations

from bpvs.model.address import V4_MAPPED_PREFIX, Address, Family
from bpvs.model.errors import InvalidNetwork
from bpvs.model.value import dataclass

_MAPPED_BITS = 8 * len(V4_MAPPED_PREFIX)
_NEAR = {Family.IPV4: 24, Family.IPV6: 64}  # the length that a hint shows


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses whose first `length` bits are those of `address`, which has no others set; InvalidNetwork."""

    address: Address
    length: int

    def __post_init__(self) -> None:
        behind = self.bits - self.length
        if not 0 <= self.length <= self.bits:
            raise InvalidNetwork(f"{self.address}/{self.length}: a length is 0 to {self.bits}")
        if int.from_bytes(self.address.packed, "big") & ((1 << behind) - 1):
            raise InvalidNetwork(f"{self.address}/{self.length} has bits set behind its first {self.length}")

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read `10.0.0.0/8` or `fd00::/8`, or an address alone; InvalidNetwork."""
        host, slash, digits = text.partition("/")
        try:
            address = Address.parse(host)
        except ValueError as error:
            raise InvalidNetwork(f"{text!r} is no network: {error}") from error
        if not slash:
            return cls(address, 8 * len(address.packed))
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
            raise InvalidNetwork(f"{text!r} is no network: right would be {host}/{_NEAR[address.family]}")
        return cls(address, int(digits))

    @classmethod
    def from_mapped(cls, bits: int, mapped: bytes) -> Network:
        """The reverse of `mapped_bits` and `address.mapped`."""
        if bits >= _MAPPED_BITS and mapped.startswith(V4_MAPPED_PREFIX):
            return cls(Address.from_mapped(Family.IPV4, mapped), bits - _MAPPED_BITS)
        return cls(Address(Family.IPV6, mapped), bits)

    @property
    def bits(self) -> int:
        """Of an address of the family."""
        return 8 * len(self.address.packed)

    @property
    def mapped_bits(self) -> int:
        """The length as the programs count it, who know IPv4 addresses as ::ffff:a.b.c.d."""
        return self.length + (0 if self.address.is_ipv6 else _MAPPED_BITS)

    @property
    def family(self) -> Family:
        """Of its addresses."""
        return self.address.family

    def __str__(self) -> str:
        return str(self.address) if self.length == self.bits else f"{self.address}/{self.length}"
