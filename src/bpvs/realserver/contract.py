# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs and numbers that the programs and this package share, read from the BTF of the shipped object.

Nothing here sits on the start-up path of `ipvsadm`, so no module is generated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bpvs.kernel.btf import ENUM, INT, Btf
from bpvs.kernel.layout import Layout
from bpvs.kernel.loader import OBJECTS
from bpvs.model import DirectorError

OBJECT = Path(OBJECTS, "realserver.bpf.o")
_INTEGERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Contract:
    """What bpf/include/bpvs/realserver/abi.h says: layouts, numbers by name, fates by number."""

    settings: Layout
    vip: Layout
    device: Layout
    prefix: Layout
    numbers: dict[str, int]
    fates: dict[int, str]


@cache
def contract(path: Path = OBJECT) -> Contract:
    """The contract of an object file; DirectorError if it is not there."""
    if not path.exists():
        raise DirectorError(f"the compiled program {path.name} is missing: `make setup` builds it in a checkout")
    btf = Btf.of_object(path.read_bytes())
    enums = [btf.resolve(member.type) for member in btf.struct("agent_numbers").members]
    values = {name: value for enum in enums if enum.kind == ENUM for name, value in enum.values.items()}
    fates = next(enum.values for enum in enums if enum.name == "fate")
    return Contract(
        _layout(btf, "agent_settings"),
        _layout(btf, "vip"),
        _layout(btf, "device"),
        _layout(btf, "prefix"),
        values,
        {number: name for name, number in fates.items() if name not in ("FATE_NONE", "FATE_COUNT")},
    )


def _layout(btf: Btf, name: str) -> Layout:
    found = btf.struct(name)
    return Layout(name, found.size, *((one.name, one.offset, _form(btf, one.type)) for one in found.members))


def _form(btf: Btf, index: int) -> str:
    """Struct-module notation of a field's type; nested structs and arrays become bytes."""
    found = btf.resolve(index)
    return _INTEGERS[found.size] if found.kind in (INT, ENUM) else f"{btf.size(index)}s"
