# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that give packets a firewall mark without netfilter."""

from __future__ import annotations

from bpvs.model.errors import InvalidMarkRule
from bpvs.model.network import Network
from bpvs.model.service import Protocol
from bpvs.model.value import dataclass

MAX_PORT = 65535
MAX_MARK = 0xFFFFFFFF
MAX_RANGES = 8  # of ports, in one rule
INTERFACE_LENGTH = 15  # IFNAMSIZ, without the zero at the end

PortRange = tuple[int, int]  # both ends included


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
