# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of the connection table and their timeouts."""

from __future__ import annotations

from bpvs.model.address import Address
from bpvs.model.service import Protocol
from bpvs.model.value import dataclass, record


@record
class Connection:
    """One entry of the connection table.

    `protocol`: None for the templates of a service by mark, whose `virtual` is the mark as an address (0.0.0.7).
    `state`: the name that `ipvsadm -L -c` shows. `expires`: seconds left. `engine`, `engine_data`: persistence engine
    and what it keyed the entry by, "" for none. `is_template`: no connection, but what persistence remembers of a
    client. `fwmark`: mark of the packet that made the entry, 0 for none.
    """

    protocol: Protocol | None
    client: Address
    client_port: int
    virtual: Address
    virtual_port: int
    server: Address
    server_port: int
    state: str
    expires: float
    engine: str = ""
    engine_data: str = ""
    is_template: bool = False
    fwmark: int = 0


MAX_TIMEOUT = 31 * 86400  # seconds; ipvsadm 1.31 takes no more


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that an idle connection is kept: TCP established, TCP after a FIN, UDP.

    0 to 2678400; where timeouts are to be set, 0 keeps what is. ValueError.
    """

    tcp: int = 900
    tcp_fin: int = 120
    udp: int = 300

    def __post_init__(self) -> None:
        for seconds in (self.tcp, self.tcp_fin, self.udp):
            if not 0 <= seconds <= MAX_TIMEOUT:
                raise ValueError(f"a timeout is 0 to {MAX_TIMEOUT} seconds, not {seconds}")

    def over(self, old: Timeouts) -> Timeouts:
        """What is in force after these were set over `old`."""
        return Timeouts(self.tcp or old.tcp, self.tcp_fin or old.tcp_fin, self.udp or old.udp)


KEEP_TIMEOUTS = Timeouts(0, 0, 0)
