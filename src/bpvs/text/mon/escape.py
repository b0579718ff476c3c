# SPDX-License-Identifier: GPL-2.0-or-later
r"""mon's escaping: whatever is no plain ASCII word becomes a backslash and two hex digits, byte by byte.

Texts are UTF-8; bytes that are not stay what they are (`surrogateescape`). Where a backslash itself is doubled the
text survives the round trip; mon doubles it in the fields of `list opstatus` and leaves it alone in histories.
"""

from __future__ import annotations

import re

_BACKSLASH = 0x5C
_QUOTES = b"\"'"
_TABLE = [chr(byte) if 0x20 < byte <= 0x7E and byte not in _QUOTES else f"\\{byte:02x}" for byte in range(256)]
_DOUBLING_TABLE = [*_TABLE[:_BACKSLASH], "\\\\", *_TABLE[_BACKSLASH + 1 :]]
_ESCAPED = re.compile(rb"\\([0-9a-f]{2}|\\)")


def encode(text: str) -> bytes:
    """The bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """The text of any bytes; encode() gives them back."""
    return data.decode("utf-8", "surrogateescape")


def escape(text: str, *, doubling: bool = False) -> str:
    """The text as one ASCII word without quotes; `doubling` writes a backslash as two."""
    table = _DOUBLING_TABLE if doubling else _TABLE
    return "".join([table[byte] for byte in text.encode("utf-8", "surrogateescape")])


def unescape(text: str) -> str:
    """The text that was escaped; a backslash before anything else is itself."""
    return decode(_ESCAPED.sub(_byte_of, encode(text)))


def visible(text: str, longest: int = 200) -> str:
    """What a stranger sent, for the log: one line, and not a long one."""
    shown = "".join([character if character.isprintable() else "?" for character in text[:longest]])
    return shown if len(text) <= longest else f"{shown}..."


def _byte_of(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return code if code == b"\\" else bytes([int(code, 16)])
