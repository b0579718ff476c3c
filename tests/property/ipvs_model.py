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


def _read_table(file: str) -> dict[tuple[str, str, str], str]:
    head, *rows = (GOLDEN / file).read_text().splitlines()
    columns = [TCP_STATES[short] for short in head.split()[1:]]
    table = {}
    for row in rows:
        sender, event, *cells = row.split()
        for state, cell in zip(columns, cells, strict=True):
            table[sender, event, state] = TCP_STATES[cell]
    return table


TABLE = _read_table("tcp_states.txt")
SECURE_TABLE = _read_table("tcp_states_secure.txt")


def event(flags: str) -> str:
    """The event of a segment with these flags (letters as scapy has them)."""
    for letter, name in (("R", "RST"), ("S", "SYN"), ("F", "FIN"), ("A", "ACK")):
        if letter in flags:
            return name
    return "nul"


class Conversation:
    """One client port of a virtual service, packet by packet.

    `state`: that of its connection, None without one. `is_one_way`: replies take another way (DR, TUN) until one is
    seen. `vs`: settings that have not their defaults.
    """

    def __init__(self, is_one_way: bool = False, **vs: int) -> None:
        self._is_one_way = self._is_alone = is_one_way
        self._vs = {"conn_reuse_mode": 1, "secure_tcp": 0, "sloppy_tcp": 0} | vs
        self._table = SECURE_TABLE if self._vs["secure_tcp"] >= 2 else TABLE
        self.state: str | None = None

    def hear(self, sender: str, flags: str) -> str | None:
        """The state after a segment of "c" or "s"."""
        if sender == "c":
            if "S" in flags and self._is_over():
                self.state = None
            if self.state is None:
                self._begin(flags)
        self._is_alone &= sender == "c"
        if self.state is not None:
            view = "server" if sender == "s" else "alone" if self._is_alone else "client"
            self.state = self._table[view, event(flags), self.state]
        return self.state

    def _is_over(self) -> bool:
        mode = self._vs["conn_reuse_mode"]
        half = mode & 2 and self._is_alone and self.state == "FIN_WAIT"
        return bool(mode and self.state in ("TIME_WAIT", "CLOSE")) or bool(half)

    def _begin(self, flags: str) -> None:
        if "R" not in flags and ("S" in flags or self._vs["sloppy_tcp"]):
            self._is_alone = self._is_one_way
            self.state = "NONE"
