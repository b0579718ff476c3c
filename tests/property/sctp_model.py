# SPDX-License-Identifier: GPL-2.0-or-later
"""The SCTP states of IPVS, written down a second time, to be compared with the data path.

Source: net/netfilter/ipvs/ip_vs_proto_sctp.c.
"""

from __future__ import annotations

from tests.property.ipvs_model import GOLDEN

# as `ipvsadm -L -c` shows them
STATES = {
    "NO": "NONE",
    "I1": "INIT1",
    "IN": "INIT",
    "CS": "C-SENT",
    "CR": "C-REPLIED",
    "CW": "C-WAIT",
    "CO": "COOKIE",
    "CE": "C-ECHOED",
    "ES": "ESTABLISHED",
    "SS": "S-SENT",
    "SR": "S-RECEIVED",
    "SA": "S-ACK-SENT",
    "RJ": "REJECTED",
    "CL": "CLOSED",
}
TIMEOUTS = dict.fromkeys(STATES.values(), 61) | {"NONE": 2, "INIT1": 4, "ESTABLISHED": 900, "REJECTED": 4}
# first chunks that say nothing about the association's beginning and end
MOVES_NOTHING = {"SACK", "HEARTBEAT", "HEARTBEAT_ACK", "ECNE", "CWR"}


def _read_table() -> dict[tuple[str, str, str], str]:
    head, *rows = (GOLDEN / "sctp_states.txt").read_text().splitlines()
    columns = [STATES[short] for short in head.split()[1:]]
    table = {}
    for row in rows:
        sender, event, *cells = row.split()
        for state, cell in zip(columns, cells, strict=True):
            table[sender, event, state] = STATES[cell]
    return table


TABLE = _read_table()


def event(first: str, second: str = "") -> str:
    """The event of a packet with these chunks."""
    if first in ("COOKIE_ECHO", "COOKIE_ACK") and second == "ABORT":
        return "ABORT"
    return "DATA" if first in MOVES_NOTHING else first


class Association:
    """One client port of a virtual service, packet by packet; as `Conversation`, with sloppy_sctp."""

    def __init__(self, is_one_way: bool = False, **vs: int) -> None:
        self._is_one_way = self._is_alone = is_one_way
        self._vs = {"conn_reuse_mode": 1, "sloppy_sctp": 0} | vs
        self.state: str | None = None

    def hear(self, sender: str, first: str, second: str = "") -> str | None:
        """The state after a packet of "c" or "s" with these first chunks."""
        happens = event(first, second)
        if sender == "c":
            if happens == "INIT" and self.state == "CLOSED" and self._vs["conn_reuse_mode"]:
                self.state = None
            if self.state is None and (happens == "INIT" or (self._vs["sloppy_sctp"] and happens != "ABORT")):
                self._is_alone = self._is_one_way
                self.state = "NONE"
        self._is_alone &= sender == "c"
        if self.state is not None:
            view = "server" if sender == "s" else "alone" if self._is_alone else "client"
            self.state = TABLE[view, happens, self.state]
        return self.state
