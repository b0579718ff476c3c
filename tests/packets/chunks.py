# SPDX-License-Identifier: GPL-2.0-or-later
"""SCTP chunks as bytes (RFC 9260 section 3.2): what a Shape of SCTP has as its payload."""

from __future__ import annotations

TYPES = {
    "DATA": 0,
    "INIT": 1,
    "INIT_ACK": 2,
    "SACK": 3,
    "HEARTBEAT": 4,
    "HEARTBEAT_ACK": 5,
    "ABORT": 6,
    "SHUTDOWN": 7,
    "SHUTDOWN_ACK": 8,
    "ERROR": 9,
    "COOKIE_ECHO": 10,
    "COOKIE_ACK": 11,
    "ECNE": 12,
    "CWR": 13,
    "SHUTDOWN_COMPLETE": 14,
}


def chunk(name: str, value: bytes = b"") -> bytes:
    """A chunk of that type, padded to a multiple of 4 bytes."""
    return numbered(TYPES[name], value)


def numbered(number: int, value: bytes = b"") -> bytes:
    """A chunk of any type."""
    content = bytes([number, 0]) + (4 + len(value)).to_bytes(2, "big") + value
    return content + bytes(-len(content) % 4)


INIT = chunk("INIT", bytes.fromhex("12345678 00010000 000a 000a 9abcdef0"))
DATA = chunk("DATA", bytes.fromhex("00000001 0000 0000 00000000") + b"hello")
COOKIE_ECHO = chunk("COOKIE_ECHO", bytes(range(250)) + b"odd")
