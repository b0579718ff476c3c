# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps as Python sees them: arrays shared with the kernel as memory, hashes by call."""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterator, Sequence

from bpvs.kernel import bpf
from bpvs.kernel.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BATCH_ROWS = 1024

Word = ctypes.c_uint8 | ctypes.c_uint16 | ctypes.c_uint32 | ctypes.c_uint64
_WORDS: dict[int, type[Word]] = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}


class ArrayMap:
    """An array of structs in memory that the data path reads and writes at the same time (BPF_F_MMAPABLE).

    `store` is one store instruction of an aligned word: what it publishes appears whole.
    """

    def __init__(self, fd: int, layout: Layout) -> None:
        self.layout = layout
        self.count = bpf.information(fd)[4]
        self.stride = layout.size + -layout.size % 8
        self._memory = mmap.mmap(fd, self.stride * self.count)
        self._selections: dict[tuple[str, ...], struct.Struct] = {}
        self._words: dict[str, tuple[int, type[Word]]] = {}

    def read(self, row: int, *fields: str) -> tuple[Any, ...]:
        """The fields (in the order of their offsets) of one row."""
        return self._selection(fields).unpack_from(self._memory, row * self.stride)

    def rows(self, first: int, count: int, *fields: str) -> Iterator[tuple[Any, ...]]:
        """The fields of consecutive rows; a copy taken at the call."""
        selection = self._selection(fields)
        begin = first * self.stride
        copy = self._memory[begin : begin + count * self.stride]
        if self.stride == selection.size:
            return selection.iter_unpack(copy)
        return (selection.unpack_from(copy, at) for at in range(0, len(copy), self.stride))

    def write(self, row: int, content: bytes, at: int = 0) -> None:
        """Copy bytes into a row that nobody reads yet, `at` bytes from its begin."""
        begin = row * self.stride + at
        self._memory[begin : begin + len(content)] = content

    def store(self, row: int, field: str, value: int) -> None:
        """Publish one integer field."""
        self._word(row, field).value = value

    def load(self, row: int, field: str) -> int:
        """Read one integer field."""
        return int(self._word(row, field).value)

    def bytes_at(self, row: int, at: int, size: int) -> bytes:
        """A copy of part of a row."""
        begin = row * self.stride + at
        return self._memory[begin : begin + size]

    def _selection(self, fields: tuple[str, ...]) -> struct.Struct:
        found = self._selections.get(fields)
        if found is None:
            found = self._selections[fields] = self.layout.select(*fields)
        return found

    def _word(self, row: int, field: str) -> Word:
        if field not in self._words:
            self._words[field] = (self.layout.offset(field), _WORDS[self.layout.width(field)])
        offset, word = self._words[field]
        return word.from_buffer(self._memory, row * self.stride + offset)


class HashMap:
    """A hash of fixed-size keys and values, element by element."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        _, _, self._key_size, self._value_size, self.count = bpf.information(fd)

    def __getitem__(self, key: bytes) -> bytes | None:
        return bpf.lookup(self._fd, key, self._value_size)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        bpf.update(self._fd, key, value)

    def __delitem__(self, key: bytes) -> None:
        bpf.delete(self._fd, key)

    def add(self, key: bytes, value: bytes) -> None:
        """Set an element that is not there yet; OSError (EEXIST, E2BIG when the map is full)."""
        bpf.update(self._fd, key, value, bpf.BPF_NOEXIST)

    def __iter__(self) -> Iterator[bytes]:
        """All keys at the moment of the call."""
        return iter(bpf.keys(self._fd, self._key_size))


class PerCpuArray:
    """An array with one struct for each possible CPU, which begins with 64-bit counters; read as sums.

    `counters`: how many, 0 for a struct of nothing else. They only grow.
    """

    def __init__(self, fd: int, counters: int = 0) -> None:
        self._fd = fd
        size = bpf.information(fd)[3]
        self._stride = size // 8
        self._fields = counters or self._stride
        self._cpus = bpf.possible_cpus()
        self._size = size * self._cpus

    def sums(self, count: int) -> list[tuple[int, ...]]:
        """The fields of rows 0 to count - 1, each summed over the CPUs."""
        values = bpf.lookup_array(self._fd, count, self._size)
        return [self._sum(values, row * self._size) for row in range(count)]

    def sum(self, row: int) -> tuple[int, ...]:
        """The fields of one row, summed over the CPUs."""
        return self._sum(self._row(row), 0)

    def by_cpu(self, count: int) -> list[tuple[int, ...]]:
        """The fields of each CPU, summed over rows 0 to count - 1."""
        words = memoryview(bpf.lookup_array(self._fd, count, self._size)).cast("Q")
        row = self._stride * self._cpus
        starts = range(0, row, self._stride)
        return [tuple(sum(words[start + field :: row]) for field in range(self._fields)) for start in starts]

    def forget(self, rows: Sequence[int]) -> None:
        """Set all but the counters to zero in rows that nobody counts in meanwhile."""
        kept = self._fields * 8
        for first in range(0, len(rows), _BATCH_ROWS):
            batch = rows[first : first + _BATCH_ROWS]
            content = bytearray(b"".join(map(self._row, batch)))
            for at in range(0, len(content), self._stride * 8):
                content[at + kept : at + self._stride * 8] = bytes(self._stride * 8 - kept)
            bpf.update_array(self._fd, batch, bytes(content))

    def _row(self, row: int) -> bytes:
        return bpf.lookup(self._fd, struct.pack("=I", row), self._size) or bytes(self._size)

    def _sum(self, values: bytes, at: int) -> tuple[int, ...]:
        words = struct.unpack_from(f"={self._size // 8}Q", values, at)
        return tuple(sum(words[field :: self._stride]) for field in range(self._fields))
