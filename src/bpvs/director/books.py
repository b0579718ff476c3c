# SPDX-License-Identifier: GPL-2.0-or-later
"""Books of ports: which ports of a local address FullNAT has taken toward a real server.

A book belongs to (local address, real server's address, protocol), whichever services list them. It is made before a
plan needs it and removed when none does and no connection has a port of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, DirectorError, Method, Protocol, RealServer

_HEAD = _abi.BOOK.select("used", "exhausted")
_ENDS = _abi.BOOK_KEY.select("local", "server")
_WORD_BITS = 64
_RESERVED_WORDS = _abi.FIRST_PORT // _WORD_BITS
_EMPTY = _abi.BOOK.pack(
    full=((1 << _RESERVED_WORDS) - 1).to_bytes(_abi.BOOK_WORDS // 8, "little"),
    taken=((1 << _abi.FIRST_PORT) - 1).to_bytes(_abi.BOOK_WORDS * 8, "little"),
)


def _partners(local: Address, servers: Iterable[RealServer]) -> set[Address]:
    """The addresses of the FullNAT servers that a local address speaks to: those of its family."""
    return {s.address for s in servers if s.method is Method.FULLNAT and s.address.family is local.family}


def wanted(locals_: Sequence[Address], servers: Sequence[RealServer], protocols: Sequence[Protocol]) -> set[bytes]:
    """The keys of the books that a service needs."""
    return {
        _key(local, server, protocol)
        for local in locals_
        for server in _partners(local, servers)
        for protocol in protocols
    }


def make(instance: Instance, keys: Iterable[bytes]) -> None:
    """Make those that there are not yet; DirectorError when there is no room."""
    books = instance.books
    for key in keys:
        if books[key] is not None:
            continue
        try:
            books.add(key, _EMPTY)
        except OSError as error:
            pairs = f"an instance holds {books.count} pairs of local address and real server"
            raise DirectorError(f"no room for more ports: {pairs} ({error.strerror})") from error


def sweep(instance: Instance, keys: set[bytes]) -> list[tuple[bytes, bytes]]:
    """Remove the books that are not among `keys` and have no port taken.

    Local and server address of those that some connection still needs, as they stand in the map.
    """
    books = instance.books
    needed = []
    for key in books:
        if key in keys:
            continue
        if _figures(books[key])[0]:
            needed.append(_ENDS.unpack(key))
        else:
            del books[key]
    return needed


def read(instance: Instance, key: bytes) -> tuple[int, int]:
    """Ports taken, and how often none was free."""
    return _figures(instance.books[key])


def _figures(book: bytes | None) -> tuple[int, int]:
    used, exhausted = _HEAD.unpack(book) if book else (0, 0)
    return used, exhausted


def _key(local: Address, server: Address, protocol: Protocol) -> bytes:
    return _abi.BOOK_KEY.pack(local=local.mapped, server=server.mapped, protocol=int(protocol))
