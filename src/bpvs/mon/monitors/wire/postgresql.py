# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL's messages, protocol 3.0 (PostgreSQL's manual, "Frontend/Backend Protocol")."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from bpvs.mon.monitors.verdict import Sick, printable

_PROTOCOL = 0x30000
TLS_REQUEST = struct.pack("!II", 8, 80877103)
TERMINATE = b"X\0\0\0\4"
AUTHENTICATION, READY, PARAMETER, ERROR = b"R", b"Z", b"S", b"E"
# What an authentication message asks for.
AUTH_OK, AUTH_CLEAR, AUTH_MD5, AUTH_SASL, AUTH_SASL_MORE, AUTH_SASL_END = 0, 3, 5, 10, 11, 12

STARTING_UP = "57P03"
# These refuse a login, and say thereby that the server takes connections: a wrong role, rule or password (28),
# a database that does not exist (3D).
ALIVE_CLASSES = ("28", "3D")


class ServerError(Sick):
    """An error message: `state` is its SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(f"{state}: {message}")
        self.state = state


def startup(parameters: Mapping[str, str]) -> bytes:
    """The first message: user, database and settings."""
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return struct.pack("!II", len(pairs) + 9, _PROTOCOL) + pairs + b"\0"


def message(kind: bytes, body: bytes) -> bytes:
    """A message of the client: its type, its length, its body."""
    return kind + struct.pack("!I", len(body) + 4) + body


def password_message(secret: str) -> bytes:
    """A password, or what md5_answer() made of it."""
    return message(b"p", secret.encode() + b"\0")


def sasl_first(mechanism: str, data: bytes) -> bytes:
    """The message that chooses a mechanism and begins it."""
    return message(b"p", mechanism.encode() + b"\0" + struct.pack("!I", len(data)) + data)


def md5_answer(user: str, password: str, salt: bytes) -> str:
    """The answer to AUTH_MD5."""
    inner = hashlib.md5((password + user).encode()).hexdigest()  # noqa: S324 - the protocol's
    return "md5" + hashlib.md5(inner.encode() + salt).hexdigest()  # noqa: S324 - the same


def read_head(head: bytes) -> tuple[bytes, int]:
    """The type of a message and how long its body is; Sick."""
    kind, size = head[:1], int.from_bytes(head[1:5], "big") - 4
    if not kind.isalpha() or size < 0:
        raise Sick("the answer is not PostgreSQL's protocol 3")
    return kind, size


def read_auth(body: bytes) -> tuple[int, bytes]:
    """What an authentication message asks for, and with what; Sick."""
    if len(body) < 4:
        raise Sick("an authentication message is cut off")
    return int.from_bytes(body[:4], "big"), body[4:]


def read_error(body: bytes) -> ServerError:
    """An error message's SQLSTATE and text."""
    fields = {field[:1]: printable(field[1:]) for field in body.split(b"\0") if field}
    return ServerError(fields.get(b"C", "?????"), fields.get(b"M", "an error without a text"))


def read_parameter(body: bytes) -> str:
    """The value of a setting that the server reports."""
    return printable(body.split(b"\0")[1])
