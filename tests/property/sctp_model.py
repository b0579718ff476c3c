# SPDX-License-Identifier: GPL-2.0-or-later
"""The SCTP states of IPVS, written down a second time, to be compared with the data path.

Source: net/netfilter/ipvs/ip_vs_proto_sctp.c.
"""

from __future__ import annotations

from tests.property.ipvs_model import GOLDEN, SENDERS

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


def next_state(state: str | None, sender: str, first: str, second: str = "") -> str | None:
    """The state of a connection (None: there is none) after a packet; conn_reuse_mode 1.

    `sender`: "c" or "s", or "a" for the client of DR and TUN as long as no reply was seen.
    """
    opens = sender in "ca" and event(first, second) == "INIT"
    if state is None or (opens and state == "CLOSED"):
        return TABLE[SENDERS[sender], "INIT", "NONE"] if opens else None
    return TABLE[SENDERS[sender], event(first, second), state]
