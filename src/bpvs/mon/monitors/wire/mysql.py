# SPDX-License-Identifier: GPL-2.0-or-later
"""MySQL's connection phase, protocol 10, as MySQL and MariaDB speak it ("Client/Server Protocol", MySQL internals)."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from bpvs.mon.monitors.verdict import Sick, printable

NATIVE, CACHING_SHA2, CLEAR = "mysql_native_password", "caching_sha2_password", "mysql_clear_password"
OK, MORE, SWITCH, ERROR = 0x00, 0x01, 0xFE, 0xFF
EOF = SWITCH  # among rows
# caching_sha2's two words in a MORE packet, and the one that asks for the password itself.
FAST_OK, FULL = b"\x03", b"\x04"
COM_QUIT, COM_QUERY = b"\x01", b"\x03"
ACCESS_DENIED = 1045

_CONNECT_WITH_DB, _PROTOCOL_41, _SSL = 0x8, 0x200, 0x800
_SECURE_CONNECTION, _PLUGIN_AUTH = 0x8000, 0x80000
_UTF8 = 33
_MARIADB = b"5.5.5-"  # before its version, for clients that take what is above 5 for MySQL
_MAX_PACKET = 1 << 24


class ServerError(Sick):
    """An ERR packet: `number` is the server's own."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"error {number}: {message}")
        self.number = number


class Greeting(NamedTuple):
    """What a server says first."""

    version: str
    can_tls: bool
    plugin: str
    nonce: bytes


def frame(sequence: int, payload: bytes) -> bytes:
    """A packet: three bytes of length, one of sequence, the payload."""
    return len(payload).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + payload


def read_greeting(payload: bytes) -> Greeting:
    """The server's first packet; ServerError if it is a refusal, Sick."""
    raise_error(payload)
    if payload[:1] != b"\x0a":
        raise Sick("the greeting is not of MySQL's protocol 10")
    version, nul, rest = payload[1:].partition(b"\0")
    version = version.removeprefix(_MARIADB)
    if not nul or len(rest) < 15:
        raise Sick("the greeting is cut off")
    nonce, low = rest[4:12], int.from_bytes(rest[13:15], "little")
    if len(rest) < 31:
        return Greeting(printable(version), bool(low & _SSL), NATIVE, nonce)
    high = int.from_bytes(rest[18:20], "little") << 16
    second = max(13, rest[20] - 8)
    nonce += rest[31 : 31 + second].rstrip(b"\0")
    plugin = printable(rest[31 + second :].partition(b"\0")[0]) if high & _PLUGIN_AUTH else NATIVE
    return Greeting(printable(version), bool(low & _SSL), plugin or NATIVE, nonce)


def tls_request(database: str) -> bytes:
    """What asks for TLS; the login follows inside of it."""
    return _head(database, _SSL)


def login(user: str, proof: bytes, plugin: str, database: str, is_tls: bool) -> bytes:
    """The answer to the greeting; `proof` is of prove()."""
    head = _head(database, _SSL if is_tls else 0)
    base = database.encode() + b"\0" if database else b""
    return b"".join((head, user.encode(), b"\0", bytes((len(proof),)), proof, base, plugin.encode(), b"\0"))


def prove(plugin: str, password: str, nonce: bytes) -> bytes:
    """What shows that the password is known without telling it; Sick for a plugin that is not spoken."""
    if plugin not in (NATIVE, CACHING_SHA2):
        raise Sick(f"the server wants the login {plugin!r}: {NATIVE} and {CACHING_SHA2} are spoken")
    if not password:
        return b""
    secret = password.encode()
    if plugin == NATIVE:
        once = hashlib.sha1(secret).digest()  # noqa: S324 - the protocol's
        return _xor(once, hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest())  # noqa: S324 - the same
    once = hashlib.sha256(secret).digest()
    return _xor(once, hashlib.sha256(hashlib.sha256(once).digest() + nonce).digest())


def read_switch(payload: bytes) -> tuple[str, bytes]:
    """The plugin and the nonce of a packet that asks for another kind of login."""
    plugin, _, nonce = payload[1:].partition(b"\0")
    return printable(plugin) or "mysql_old_password", nonce.rstrip(b"\0")


def raise_error(payload: bytes) -> None:
    """ServerError for an ERR packet, Sick for an empty one, nothing for any other."""
    if not payload:
        raise Sick("an empty packet")
    if payload[0] == ERROR:
        message = payload[3:]
        if message[:1] == b"#":
            message = message[6:]
        raise ServerError(int.from_bytes(payload[1:3], "little"), printable(message))


def _head(database: str, more: int) -> bytes:
    flags = _PROTOCOL_41 | _SECURE_CONNECTION | _PLUGIN_AUTH | (_CONNECT_WITH_DB if database else 0) | more
    return struct.pack("<IIB23x", flags, _MAX_PACKET, _UTF8)


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
