# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that give packets a firewall mark without netfilter."""

from __future__ import annotations

from bpvs.model.address import Address, Family
from bpvs.model.errors import InvalidMarkRule
from bpvs.model.service import Protocol
from bpvs.model.value import dataclass

MAX_PORT = 65535
MAX_MARK = 0xFFFFFFFF
MAX_RANGES = 8  # of ports, in one rule
INTERFACE_LENGTH = 15  # IFNAMSIZ, without the zero at the end

PortRange = tuple[int, int]  # both ends included


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses whose first `length` bits are those of `address`, which has no others set; InvalidMarkRule."""

    address: Address
    length: int

    def __post_init__(self) -> None:
        behind = self.bits - self.length
        if not 0 <= self.length <= self.bits:
            raise InvalidMarkRule(f"{self.address}/{self.length}: a length is 0 to {self.bits}")
        if int.from_bytes(self.address.packed, "big") & ((1 << behind) - 1):
            raise InvalidMarkRule(f"{self.address}/{self.length} has bits set behind its first {self.length}")

    @classmethod
    def parse(cls, text: str) -> Network:
        """Read `10.0.0.0/8` or `fd00::/8`, or an address alone; InvalidMarkRule."""
        host, slash, digits = text.partition("/")
        try:
            address = Address.parse(host)
        except ValueError as error:
            raise InvalidMarkRule(f"{text!r} is no network: {error}") from error
        if not slash:
            return cls(address, 8 * len(address.packed))
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
            raise InvalidMarkRule(f"{text!r} is no network: right would be {host}/{8 * len(address.packed) - 8}")
        return cls(address, int(digits))

    @property
    def bits(self) -> int:
        """Of an address of the family."""
        return 8 * len(self.address.packed)

    @property
    def family(self) -> Family:
        """Of its addresses."""
        return self.address.family

    def __str__(self) -> str:
        return str(self.address) if self.length == self.bits else f"{self.address}/{self.length}"


@dataclass(frozen=True, slots=True)
class MarkRule:
    """Packets to `dst` get `mark`, those of one protocol and port, from `src`, that came in by `interface`.

    `mark`: 1 to 2^32 - 1; 0 leaves them alone, so that no later rule marks them. `src` and `protocol` None, no `ports`
    and "" for `interface` stand for any. `ports`: of the destination, at most 8 ranges. InvalidMarkRule.
    """

    mark: int
    dst: Network
    src: Network | None = None
    protocol: Protocol | None = None
    ports: tuple[PortRange, ...] = ()
    interface: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.mark <= MAX_MARK:
            raise InvalidMarkRule(f"a mark is 0 to {MAX_MARK}, not {self.mark}")
        if self.src is not None and self.src.family is not self.dst.family:
            raise InvalidMarkRule(f"{self.src} and {self.dst} are of different families")
        if len(self.ports) > MAX_RANGES:
            raise InvalidMarkRule(f"a rule has at most {MAX_RANGES} ports or ranges, not {len(self.ports)}")
        for first, last in self.ports:
            if not 0 <= first <= last <= MAX_PORT:
                raise InvalidMarkRule(f"{first}-{last} is no range of ports: right would be 8000-8100")
        if len(self.interface.encode("utf-8", "surrogateescape")) > INTERFACE_LENGTH or "\0" in self.interface:
            raise InvalidMarkRule(f"an interface's name has at most {INTERFACE_LENGTH} bytes: {self.interface!r}")
