# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct layouts and enum values from the BTF of an object file (Documentation/bpf/btf.rst); pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_BTF_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_BTF_MAGIC = 0xEB9F

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)
_ALIASES = frozenset({TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG})


class BtfError(Exception):
    """The bytes are not an ELF object with BTF of the known form; str() says what is missing."""


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a struct: `offset` in bytes, `type` an index into Btf.types."""

    name: str
    type: int
    offset: int


@dataclass(frozen=True, slots=True)
class Type:
    """One BTF type: `size` in bytes where it has one, `target` the type referred to, `count` of array elements."""

    kind: int
    name: str
    size: int = 0
    target: int = 0
    count: int = 0
    members: tuple[Member, ...] = ()
    values: dict[str, int] = field(default_factory=dict)


class Btf:
    """All types of one object; index 0 is void."""

    def __init__(self, types: list[Type]) -> None:
        self.types = types

    @classmethod
    def of_object(cls, elf: bytes) -> Btf:
        """Read the .BTF section of an ELF object; BtfError if there is none."""
        return cls(_parse(_section(elf, ".BTF")))

    def struct(self, name: str) -> Type:
        """The struct with this name; KeyError."""
        for found in self.types:
            if found.kind == STRUCT and found.name == name:
                return found
        raise KeyError(f"no struct {name!r} in the BTF")

    def resolve(self, index: int) -> Type:
        """The type behind typedefs and qualifiers."""
        found = self.types[index]
        while found.kind in _ALIASES:
            found = self.types[found.target]
        return found

    def size(self, index: int) -> int:
        """Bytes that a value of this type takes."""
        found = self.resolve(index)
        return found.count * self.size(found.target) if found.kind == ARRAY else found.size


def _section(elf: bytes, wanted: str) -> bytes:
    if elf[:4] != b"\x7fELF" or elf[4] != 2:
        raise BtfError("not a 64-bit ELF object")
    header = _ELF_HEADER.unpack_from(elf)
    table, entry, count, names = header[6], header[11], header[12], header[13]
    sections = [_SECTION.unpack_from(elf, table + i * entry) for i in range(count)]
    strings = sections[names][4]
    for section in sections:
        if _string(elf, strings + section[0]) == wanted:
            return elf[section[4] : section[4] + section[5]]
    raise BtfError(f"no section {wanted}: compile with -g")


def _string(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()


def _parse(data: bytes) -> list[Type]:
    magic, _version, _flags, length, type_at, type_size, string_at, _string_size = _BTF_HEADER.unpack_from(data)
    if magic != _BTF_MAGIC:
        raise BtfError("the .BTF section does not begin with 0xeb9f: a big-endian object?")
    at, end, strings = length + type_at, length + type_at + type_size, length + string_at
    types = [Type(0, "void")]
    while at < end:
        name, info, extra = _TYPE.unpack_from(data, at)
        kind, count, flag = info >> 24 & 0x1F, info & 0xFFFF, info >> 31
        at += _TYPE.size
        body = _Body(data, at, strings)
        types.append(body.read(kind, _string(data, strings + name), count, extra, flag=bool(flag)))
        at = body.at
    return types


class _Body:
    """Reads what follows the common part of one type."""

    def __init__(self, data: bytes, at: int, strings: int) -> None:
        self._data = data
        self.at = at
        self._strings = strings

    def read(self, kind: int, name: str, count: int, extra: int, *, flag: bool) -> Type:
        """`flag`: the bit whose meaning depends on the kind."""
        if kind == ARRAY:
            element, _index, length = self._take("<III")
            return Type(kind, name, target=element, count=length)
        if kind in (STRUCT, UNION):
            mask = 0xFFFFFF if flag else 0xFFFFFFFF  # with it, offsets have the size of a bit field above
            members = (self._take("<III") for _ in range(count))
            return Type(
                kind,
                name,
                size=extra,
                members=tuple(Member(self._name(n), t, (o & mask) // 8) for n, t, o in members),
            )
        if kind == ENUM:
            pairs = [self._take("<Ii" if flag else "<II") for _ in range(count)]
            return Type(kind, name, size=extra, values={self._name(n): v for n, v in pairs})
        entries = {INT: 4, VAR: 4, DECL_TAG: 4, FUNC_PROTO: 8 * count, DATASEC: 12 * count, ENUM64: 12 * count}
        self.at += entries.get(kind, 0)
        if kind in (INT, FLOAT, DATASEC, ENUM64):
            return Type(kind, name, size=extra)
        return Type(kind, name, size=8 if kind == PTR else 0, target=extra)

    def _name(self, at: int) -> str:
        return _string(self._data, self._strings + at)

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return values
