# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps as Python sees them: arrays shared with the kernel as memory, hashes by call."""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Iterable, Iterator

from bpvs.kernel import bpf
from bpvs.kernel.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BATCH_ROWS = 1024


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
        self._words = _Words(layout, self.stride, self._memory)

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
        words, first, apart = self._words[field]
        words[first + row * apart] = value

    def load(self, row: int, field: str) -> int:
        """Read one integer field."""
        words, first, apart = self._words[field]
        return words[first + row * apart]

    def bytes_at(self, row: int, at: int, size: int) -> bytes:
        """A copy of part of a row."""
        begin = row * self.stride + at
        return self._memory[begin : begin + size]

    def _selection(self, fields: tuple[str, ...]) -> struct.Struct:
        found = self._selections.get(fields)
        if found is None:
            found = self._selections[fields] = self.layout.select(*fields)
        return found


class _Words(dict[str, "tuple[memoryview[int], int, int]"]):
    """By integer field: the memory as words of its width, the place of row 0's, and how far apart the rows are."""

    def __init__(self, layout: Layout, stride: int, memory: mmap.mmap) -> None:
        super().__init__()
        self._layout = layout
        self._stride = stride
        self._memory = memory

    def __missing__(self, field: str) -> tuple[memoryview[int], int, int]:
        form = self._layout.form(field)
        width = struct.calcsize(form)
        words: memoryview[int] = memoryview(self._memory).cast(form)  # type: ignore[call-overload]
        found = self[field] = words, self._layout.offset(field) // width, self._stride // width
        return found


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
        self._stride = bpf.information(fd)[3] // 8  # in words
        self._fields = range(counters or self._stride)
        self._cpus = range(bpf.possible_cpus())

    def sums(self, rows: range) -> list[tuple[int, ...]]:
        """The fields of consecutive rows, each summed over the CPUs."""
        return self._sums(self._words(rows))

    def sum(self, row: int) -> tuple[int, ...]:
        """The fields of one row, summed over the CPUs."""
        return self.sums(range(row, row + 1))[0]

    def by_cpu(self, rows: range) -> list[tuple[int, ...]]:
        """The fields of each CPU, summed over consecutive rows."""
        words = self._words(rows)
        return [tuple(sum(self._column(words, cpu, field)) for field in self._fields) for cpu in self._cpus]

    def forget(self, rows: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """Set all but the counters to zero in rows that nobody counts in meanwhile; what they have counted, summed."""
        counted: dict[int, tuple[int, ...]] = {}
        for run in _runs(rows):
            words = self._words(run)
            counted.update(zip(run, self._sums(words), strict=True))
            for field in range(len(self._fields), self._stride):
                words[field :: self._stride] = array("Q", bytes(len(words) // self._stride * 8))
            bpf.update_array(self._fd, run, words.tobytes())
        return counted

    def _words(self, rows: range) -> array[int]:
        return array("Q", bpf.lookup_array(self._fd, rows, self._stride * 8 * len(self._cpus)))

    def _column(self, words: array[int], cpu: int, field: int) -> array[int]:
        """One field of one CPU in all rows."""
        return words[cpu * self._stride + field :: self._stride * len(self._cpus)]

    def _sums(self, words: array[int]) -> list[tuple[int, ...]]:
        return list(zip(*(self._summed(words, field) for field in self._fields), strict=True))

    def _summed(self, words: array[int], field: int) -> Iterable[int]:
        """One field of all rows."""
        return map(sum, zip(*(self._column(words, cpu, field) for cpu in self._cpus), strict=True))


def _runs(rows: Iterable[int]) -> Iterator[range]:
    """The rows in stretches of neighbours, none longer than what is copied at once."""
    first = end = 0
    for row in sorted(rows):
        if row != end or end - first == _BATCH_ROWS:
            if end > first:
                yield range(first, end)
            first = row
        end = row + 1
    if end > first:
        yield range(first, end)
