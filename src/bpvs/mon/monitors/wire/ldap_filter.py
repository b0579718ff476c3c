# SPDX-License-Identifier: GPL-2.0-or-later
"""LDAP's search filters: the text of RFC 4515 to the bytes of RFC 4511, section 4.5.1. No extensible matching."""

from __future__ import annotations

import re

from bpvs.mon.monitors.wire.ber import OCTETS, SEQUENCE, encode

_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_SUBSTRINGS, _PRESENT = 0xA4, 0x87
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_COMPARED = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}
_ITEM = re.compile(r"([A-Za-z0-9][A-Za-z0-9.;-]*)(>=|<=|~=|=)([^()]*)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})?")
_DEEPEST = 20


def compile_filter(text: str) -> bytes:
    """The filter's bytes; the outermost parentheses may be left out, as usual on command lines. ValueError."""
    text = text.strip()
    made, rest = _compile(text if text.startswith("(") else f"({text})", 0)
    if rest:
        raise ValueError(f"the filter goes on after its end: {rest!r}")
    return made


def _compile(text: str, depth: int) -> tuple[bytes, str]:
    """The first filter of the text, and what follows it."""
    if not text.startswith("("):
        raise ValueError(f"a filter begins with '(', not with {text[:10]!r}")
    if depth > _DEEPEST:
        raise ValueError(f"the filter is more than {_DEEPEST} levels deep")
    kind = text[1:2]
    if kind in ("&", "|", "!"):
        parts, rest = _list(text[2:].lstrip(), depth + 1)
        if kind == "!" and len(parts) != 1:
            raise ValueError("'!' wants one filter")
        made = encode({"&": _AND, "|": _OR, "!": _NOT}[kind], *parts)
    else:
        item = _ITEM.match(text, 1)
        if item is None:
            raise ValueError(f"{text[1:21]!r} is not ATTRIBUTE=VALUE")
        made, rest = _compile_item(*item.groups()), text[item.end() :]
    if not rest.startswith(")"):
        raise ValueError("a ')' is missing")
    return made, rest[1:].lstrip()


def _list(text: str, depth: int) -> tuple[list[bytes], str]:
    parts = []
    while text.startswith("("):
        part, text = _compile(text, depth)
        parts.append(part)
    return parts, text


def _compile_item(attribute: str, operator: str, value: str) -> bytes:
    name = attribute.encode()
    if operator != "=" or "*" not in value:
        return encode(_COMPARED[operator], encode(OCTETS, name), encode(OCTETS, _unescape(value)))
    if value == "*":
        return encode(_PRESENT, name)
    pieces = [_unescape(piece) for piece in value.split("*")]
    tags = [_INITIAL, *[_ANY] * (len(pieces) - 2), _FINAL]
    substrings = [encode(tag, piece) for tag, piece in zip(tags, pieces, strict=True) if piece]
    if not substrings:
        raise ValueError(f"{value!r} has nothing between its asterisks")
    return encode(_SUBSTRINGS, encode(OCTETS, name), encode(SEQUENCE, *substrings))


def _unescape(value: str) -> bytes:
    def plain(escape: re.Match[bytes]) -> bytes:
        if not escape[1]:
            raise ValueError(f"after a backslash come two hexadecimal digits: {value!r}")
        return bytes((int(escape[1], 16),))

    return _ESCAPE.sub(plain, value.encode())
