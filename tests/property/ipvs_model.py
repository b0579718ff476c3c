# SPDX-License-Identifier: GPL-2.0-or-later
"""The TCP states of IPVS, written down a second time and as plainly as possible, to be compared with the data path.

Source: net/netfilter/ipvs/ip_vs_proto_tcp.c.
"""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden/ipvs"


TCP_STATES = {
    "NO": "NONE",
    "ES": "ESTABLISHED",
    "SS": "SYN_SENT",
    "SR": "SYN_RECV",
    "FW": "FIN_WAIT",
    "TW": "TIME_WAIT",
    "CL": "CLOSE",
    "CW": "CLOSE_WAIT",
    "LA": "LAST_ACK",
    "LI": "LISTEN",
    "SA": "SYNACK",
}
TIMEOUTS = {
    "NONE": 2,
    "ESTABLISHED": 900,
    "SYN_SENT": 120,
    "SYN_RECV": 60,
    "FIN_WAIT": 120,
    "TIME_WAIT": 120,
    "CLOSE": 10,
    "CLOSE_WAIT": 60,
    "LAST_ACK": 30,
    "LISTEN": 120,
    "SYNACK": 120,
}
ACTIVE = {"ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK"}
SENDERS = {"c": "client", "s": "server", "a": "alone"}


def _read_table() -> dict[tuple[str, str, str], str]:
    head, *rows = (GOLDEN / "tcp_states.txt").read_text().splitlines()
    columns = [TCP_STATES[short] for short in head.split()[1:]]
    table = {}
    for row in rows:
        sender, event, *cells = row.split()
        for state, cell in zip(columns, cells, strict=True):
            table[sender, event, state] = TCP_STATES[cell]
    return table


TABLE = _read_table()


def event(flags: str) -> str:
    """The event of a segment with these flags (letters as scapy has them)."""
    for letter, name in (("R", "RST"), ("S", "SYN"), ("F", "FIN"), ("A", "ACK")):
        if letter in flags:
            return name
    return "nul"


def next_state(state: str | None, sender: str, flags: str) -> str | None:
    """The state of a connection (None: there is none) after a segment; conn_reuse_mode 1.

    `sender`: "c" or "s", or "a" for the client of DR and TUN as long as no reply was seen.
    """
    opens = sender in "ca" and event(flags) == "SYN"
    if state is None or (opens and state in ("TIME_WAIT", "CLOSE")):
        return TABLE["client", "SYN", "NONE"] if opens else None
    return TABLE[SENDERS[sender], event(flags), state]
