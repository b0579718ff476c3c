# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of the connection table and their timeouts."""

from __future__ import annotations

from bpvs.model.address import Address
from bpvs.model.service import Protocol
from bpvs.model.value import dataclass, record


@record
class Connection:
    """One entry of the connection table.

    `protocol`: None for the templates of a service by mark. `state`: the name that `ipvsadm -L -c` shows. `expires`:
    seconds left. `engine`, `engine_data`: persistence engine and what it keyed the entry by, "" for none.
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


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that an idle connection is kept: TCP established, TCP after a FIN, UDP."""

    tcp: int = 900
    tcp_fin: int = 120
    udp: int = 300
