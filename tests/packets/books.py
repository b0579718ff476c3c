# SPDX-License-Identifier: GPL-2.0-or-later
"""Books of ports as the maps hold them: a table fills one by hand, or looks at what the programs wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bpvs.kernel import _abi
from bpvs.model import Address
from tests.packets.frames import Path
from tests.packets.rig import Rig, loaded

PORTS = range(_abi.FIRST_PORT, _abi.LAST_PORT + 1)
_WORD = 64
_FIELDS = ("turn", "used", "exhausted", "full", "taken")


@dataclass(frozen=True, slots=True)
class Book:
    """Which ports are taken, and the book's own idea of it: `used`, and the words that it believes full."""

    turn: int
    used: int
    exhausted: int
    full: frozenset[int]
    taken: frozenset[int]

    @property
    def is_consistent(self) -> bool:
        """Whether the count and the summary say what the bits say."""
        words = {word for word in range(_abi.BOOK_WORDS) if self.taken.issuperset(_ports_of(word))}
        return self.used == sum(port in PORTS for port in self.taken) and self.full == words


def local_of_its_own(rig: Rig, path: Path) -> Path:
    """The path with a local address that nobody else has: its books are as yet unused."""
    number = rig.port()
    high, low = number >> 8, number & 0xFF
    return replace(path, local=f"fd02:1::{high:x}:{low:x}" if path.is_ipv6 else f"10.12.{high}.{low}")


def read(path: Path, local: str = "") -> Book:
    """The book of the path's local address, or of another, toward its server."""
    content = _content(path, local)
    assert content is not None
    turn, used, exhausted, full, taken = _abi.BOOK.select(*_FIELDS).unpack(content)
    return Book(turn, used, exhausted, _bits(full), _bits(taken))


def fill(path: Path, free: Iterable[int] = (), local: str = "", turn: int = 0) -> None:
    """All ports but these are taken; the data path looks at FIRST_PORT + turn next."""
    free = frozenset(free)
    taken = frozenset(range(_abi.LAST_PORT + 1)) - free
    full = frozenset(word for word in range(_abi.BOOK_WORDS) if free.isdisjoint(_ports_of(word)))
    instance = loaded()
    instance.books[_key(path, local)] = _abi.BOOK.pack(
        turn=turn,
        used=len(PORTS) - len(free),
        full=_packed(full, _abi.BOOK_WORDS // 8),
        taken=_packed(taken, _abi.BOOK_WORDS * _WORD // 8),
    )


def exists(path: Path, local: str = "") -> bool:
    """Whether there is a book of that local address toward the path's server."""
    return _content(path, local) is not None


def _content(path: Path, local: str) -> bytes | None:
    instance = loaded()
    return instance.books[_key(path, local)]


def _key(path: Path, local: str) -> bytes:
    ends = Address.parse(local or path.local), Address.parse(path.server)
    return _abi.BOOK_KEY.pack(local=ends[0].mapped, server=ends[1].mapped, protocol=int(path.protocol))


def _ports_of(word: int) -> range:
    return range(word * _WORD, (word + 1) * _WORD)


def _bits(content: bytes) -> frozenset[int]:
    number = int.from_bytes(content, "little")
    return frozenset(bit for bit, digit in enumerate(reversed(f"{number:b}")) if digit == "1")


def _packed(bits: Iterable[int], size: int) -> bytes:
    content = bytearray(size)
    for bit in bits:
        content[bit // 8] |= 1 << bit % 8
    return bytes(content)
