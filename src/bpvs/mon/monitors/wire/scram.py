# SPDX-License-Identifier: GPL-2.0-or-later
"""The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677), as PostgreSQL speaks it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from bpvs.mon.monitors.verdict import Sick

MECHANISM = "SCRAM-SHA-256"
_NO_BINDING = "n,,"
# A server that asks for more would keep this process busy, and not only this check.
_MOST_ROUNDS = 100_000


class Scram:
    """One authentication: first() is sent, its answer goes to final(), the answer to that to verify()."""

    def __init__(self, password: str, nonce: str, user: str = "") -> None:
        """`nonce` is printable text without commas that is used once; PostgreSQL wants the user empty here."""
        self._password = password
        self._nonce = nonce
        self._bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return (_NO_BINDING + self._bare).encode()

    def final(self, challenge: bytes) -> bytes:
        """The client's proof, after the server's first message; Sick."""
        fields = _fields(challenge)
        nonce, salt, rounds = fields.get("r", ""), _decode(fields.get("s", "")), fields.get("i", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise Sick("the server's nonce does not continue ours")
        if not rounds.isdigit() or not 0 < int(rounds[:9]) <= _MOST_ROUNDS:
            raise Sick(f"the server wants {rounds[:20]!r} rounds of hashing: at most {_MOST_ROUNDS} are done")
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, int(rounds))
        client_key = _sign(salted, b"Client Key")
        bare_final = f"c={base64.b64encode(_NO_BINDING.encode()).decode()},r={nonce}"
        whole = b",".join((self._bare.encode(), challenge, bare_final.encode()))
        proof = _xor(client_key, _sign(hashlib.sha256(client_key).digest(), whole))
        self._signature = _sign(_sign(salted, b"Server Key"), whole)
        return f"{bare_final},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, answer: bytes) -> None:
        """Whether the server knows the password too; Sick."""
        if not hmac.compare_digest(_decode(_fields(answer).get("v", "")), self._signature):
            raise Sick("the server's signature is wrong: it does not know the password")


def _fields(message: bytes) -> dict[str, str]:
    pairs = (part.partition("=") for part in message.decode("utf-8", "replace").split(","))
    return {name: value for name, _, value in pairs}


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Sick("a field of the server's message is not base64") from None


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
