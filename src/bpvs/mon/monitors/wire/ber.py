# SPDX-License-Identifier: GPL-2.0-or-later
"""The Basic Encoding Rules as far as LDAP uses them (RFC 4511, section 5.1): definite lengths, tags of one byte."""

from __future__ import annotations

from typing import NamedTuple

from bpvs.mon.monitors.verdict import Sick

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31


class Element(NamedTuple):
    """A tag and what it holds."""

    tag: int
    content: bytes

    def children(self) -> list[Element]:
        """The elements inside a constructed one."""
        found = []
        rest = self.content
        while rest:
            element, rest = take(rest)
            found.append(element)
        return found

    def number(self) -> int:
        """The value of an INTEGER or ENUMERATED."""
        return int.from_bytes(self.content, "big", signed=True)


def encode(tag: int, *contents: bytes) -> bytes:
    """The element of `tag` around its contents."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def encode_number(value: int, tag: int = INTEGER) -> bytes:
    """A number >= 0 as the shortest INTEGER, or as another tag."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def take(data: bytes) -> tuple[Element, bytes]:
    """The first element and what follows it; Sick."""
    start, size = frame(data)
    if size is None or len(data) < start + size:
        raise Sick("an element is cut off")
    return Element(data[0], data[start : start + size]), data[start + size :]


def frame(head: bytes) -> tuple[int, int | None]:
    """How long tag and length are, and how long the content is: None if `head` is too short to tell; Sick.

    >>> frame(bytes.fromhex("30 82 01 00"))
    (4, 256)
    """
    if len(head) < 2:
        return 2, None
    if head[1] < 0x80:
        return 2, head[1]
    count = head[1] & 0x7F
    if not 1 <= count <= 4:
        raise Sick("an element without a usable length")
    size = int.from_bytes(head[2 : 2 + count], "big") if len(head) >= 2 + count else None
    return 2 + count, size
