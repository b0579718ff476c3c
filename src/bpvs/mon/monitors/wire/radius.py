# SPDX-License-Identifier: GPL-2.0-or-later
"""RADIUS packets (RFC 2865), with Message-Authenticator (RFC 3579) and Status-Server (RFC 5997)."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

from bpvs.mon.monitors.verdict import Sick, printable

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCESS_CHALLENGE, STATUS_SERVER = 1, 2, 3, 11, 12
_USER_NAME, _USER_PASSWORD, _REPLY_MESSAGE, _NAS_IDENTIFIER, _MESSAGE_AUTHENTICATOR = 1, 2, 18, 32, 80
_HEAD = struct.Struct("!BBH16s")
_LONGEST = 4096


class Answer(NamedTuple):
    """A packet of the server whose signature is right."""

    code: int
    message: str


def access_request(identifier: int, authenticator: bytes, secret: bytes, user: str, password: str) -> bytes:
    """Asks whether `user` may in; `authenticator` is 16 random bytes, never the same twice."""
    hidden = _hide(password.encode(), authenticator, secret)
    attributes = _attribute(_USER_NAME, user.encode()) + _attribute(_USER_PASSWORD, hidden)
    return _signed(ACCESS_REQUEST, identifier, authenticator, secret, attributes)


def status_server(identifier: int, authenticator: bytes, secret: bytes) -> bytes:
    """Asks whether the server lives."""
    return _signed(STATUS_SERVER, identifier, authenticator, secret, b"")


def read_answer(packet: bytes, request: bytes, secret: bytes) -> Answer:
    """The answer to `request`; Sick for one that is malformed, of another request, or not signed with `secret`."""
    if len(packet) < _HEAD.size:
        raise Sick("an answer shorter than a RADIUS header")
    code, identifier, length, signature = _HEAD.unpack_from(packet)
    if not _HEAD.size <= length <= min(len(packet), _LONGEST) or identifier != request[1]:
        raise Sick("an answer of a wrong length or to another request")
    packet, asked = packet[:length], request[4:20]
    whole = packet[:4] + asked + packet[20:] + secret
    if not hmac.compare_digest(hashlib.md5(whole).digest(), signature):  # noqa: S324 - the protocol's
        raise Sick("an answer not signed with the secret: another secret there, or another server")
    attributes = _attributes(packet)
    for kind, start, value in attributes:
        if kind == _MESSAGE_AUTHENTICATOR:
            blank = packet[:4] + asked + packet[20:start] + bytes(len(value)) + packet[start + len(value) :]
            if not hmac.compare_digest(hmac.digest(secret, blank, "md5"), value):
                raise Sick("an answer whose Message-Authenticator is wrong")
    texts = [printable(value) for kind, _, value in attributes if kind == _REPLY_MESSAGE]
    return Answer(code, " ".join(texts))


def _signed(code: int, identifier: int, authenticator: bytes, secret: bytes, attributes: bytes) -> bytes:
    """The packet with its Message-Authenticator, which comes first so that nobody can put anything before it."""
    attributes = _attribute(_NAS_IDENTIFIER, b"bpvs mon") + attributes
    length = _HEAD.size + 18 + len(attributes)
    head = _HEAD.pack(code, identifier, length, authenticator)
    signature = hmac.digest(secret, head + _attribute(_MESSAGE_AUTHENTICATOR, bytes(16)) + attributes, "md5")
    return head + _attribute(_MESSAGE_AUTHENTICATOR, signature) + attributes


def _hide(password: bytes, authenticator: bytes, secret: bytes) -> bytes:
    """RFC 2865, section 5.2."""
    padded = password.ljust(max(16, -(-len(password) // 16) * 16), b"\0")
    hidden, last = b"", authenticator
    for start in range(0, len(padded), 16):
        key = hashlib.md5(secret + last).digest()  # noqa: S324 - the protocol's
        last = bytes(a ^ b for a, b in zip(padded[start : start + 16], key, strict=True))
        hidden += last
    return hidden


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value) + 2)) + value


def _attributes(packet: bytes) -> list[tuple[int, int, bytes]]:
    """Type, where the value begins, and the value, of each attribute."""
    found, at = [], _HEAD.size
    while at < len(packet):
        size = packet[at + 1] if at + 1 < len(packet) else 0
        if size < 2 or at + size > len(packet):
            raise Sick("an answer with a broken attribute")
        found.append((packet[at], at + 2, packet[at + 2 : at + size]))
        at += size
    return found
