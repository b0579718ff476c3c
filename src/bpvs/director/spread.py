# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the outer source addresses of tunnels come from: a prefix, so that receivers spread flows over their queues."""

from __future__ import annotations

import struct

from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, DirectorError, Family
from bpvs.model.value import dataclass

_FIELDS = {Family.IPV4: "spread_ipv4", Family.IPV6: "spread_ipv6"}
_BITS = {Family.IPV4: 32, Family.IPV6: 128}
_WORD_BITS = 32  # of the address vary at most
_MASK = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Prefix:
    """A network, `length` bits long."""

    address: Address
    length: int

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """Read `172.16.0.0/16` or `fd00::/96`; DirectorError for anything else, or with bits set behind the length."""
        host, _, digits = text.partition("/")
        try:
            address = Address.parse(host)
        except ValueError as error:
            raise DirectorError(f"{text!r} is no network: {error}") from error
        bits = _BITS[address.family]
        length = int(digits) if digits.isascii() and digits.isdigit() else -1
        if not 0 < length < bits:
            raise DirectorError(f"{text!r} is no network: right would be {host}/{bits - 16}")
        if int.from_bytes(address.packed, "big") & ((1 << bits - length) - 1):
            raise DirectorError(f"{text!r} has bits set behind its first {length}")
        return cls(address, length)

    @property
    def mask(self) -> int:
        """The bits that vary, of the address's last 32."""
        return (1 << min(_BITS[self.address.family] - self.length, _WORD_BITS)) - 1

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


def write(instance: Instance, family: Family, prefix: Prefix | None) -> None:
    """Put a prefix in force, or with None the source address of each way."""
    settings, at = instance.settings, _abi.SETTINGS.offset(_FIELDS[family])
    mask_at = at + _abi.SPREAD.offset("mask")
    settings.write(0, _MASK.pack(0), mask_at)  # while the prefix is half written nobody looks at it
    if prefix is not None:
        settings.write(0, prefix.address.mapped, at)
        settings.write(0, _MASK.pack(prefix.mask), mask_at)


def read(instance: Instance) -> tuple[Prefix, ...]:
    """The prefixes in force; of IPv6 prefixes shorter than 96 bits the length is told as 96, which is what varies."""
    found = []
    for family, field in _FIELDS.items():
        content = instance.settings.bytes_at(0, _abi.SETTINGS.offset(field), _abi.SPREAD.size)
        mapped, mask = _abi.SPREAD.select("prefix", "mask").unpack(content)
        if mask:
            found.append(Prefix(Address.from_mapped(family, mapped), _BITS[family] - mask.bit_length()))
    return tuple(found)
