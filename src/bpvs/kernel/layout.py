# SPDX-License-Identifier: GPL-2.0-or-later
"""How one C struct lies in memory. The generated _abi.py is a list of these."""

from __future__ import annotations

import struct


class Layout:
    """A struct's size and fields; `form` is struct-module notation, "16s" for an address or any nested struct.

    Integers are in the machine's order: fields that C calls __be16 or __be32 need socket.ntohs() and the like.
    """

    __slots__ = ("_fields", "_whole", "name", "size")

    def __init__(self, name: str, size: int, *fields: tuple[str, int, str]) -> None:
        self.name = name
        self.size = size
        self._fields = {field: (offset, form) for field, offset, form in fields}
        self._whole: struct.Struct | None = None

    def offset(self, field: str) -> int:
        """Bytes from the struct's begin to the field; KeyError."""
        return self._fields[field][0]

    def form(self, field: str) -> str:
        """The field in struct-module notation; KeyError."""
        return self._fields[field][1]

    def width(self, field: str) -> int:
        """Bytes of the field; KeyError."""
        return struct.calcsize("=" + self._fields[field][1])

    def select(self, *fields: str) -> struct.Struct:
        """A struct.Struct that unpacks just these fields; they must be named in the order of their offsets."""
        form, at = "=", 0
        for field in fields:
            offset, one = self._fields[field]
            if offset < at:
                raise ValueError(f"{self.name}.{field} lies before its predecessor in {fields!r}")
            form += f"{offset - at}x{one}"
            at = offset + struct.calcsize("=" + one)
        return struct.Struct(form + f"{self.size - at}x")

    def pack(self, **values: int | bytes) -> bytes:
        """The struct's bytes; fields not named are zero."""
        if self._whole is None:
            self._whole = self.select(*self._fields)
        unknown = values.keys() - self._fields.keys()
        if unknown:
            raise KeyError(f"struct {self.name} has no field {', '.join(sorted(unknown))}")
        empty: dict[str, int | bytes] = {f: b"" if form.endswith("s") else 0 for f, (_, form) in self._fields.items()}
        return self._whole.pack(*(empty | values).values())
