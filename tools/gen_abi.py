#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write src/bpvs/kernel/_abi.py: structs and numbers of bpf/include/bpvs/abi.h, as the object's BTF has them."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from bpvs.kernel.btf import ENUM, INT, Btf, Type  # noqa: E402  known only from here on

OBJECT = ROOT / "src/bpvs/kernel/objects/housekeeper.bpf.o"
OUTPUT = ROOT / "src/bpvs/kernel/_abi.py"
STRUCTS = (
    *("address", "attachment", "book", "book_key", "cache_key", "cached", "call_id", "conn", "counters"),
    *("dest", "flow", "flow_key", "hop", "lane", "mark_rule", "member", "member_key", "plan", "port_range"),
    *("rates", "runtime", "server", "service", "service_key", "settings", "slot_row", "spread", "station"),
    *("template", "tunnel", "vs"),
)
INTEGERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def form(btf: Btf, index: int) -> str:
    """Struct-module notation of a field's type; nested structs and arrays of them become bytes."""
    found = btf.resolve(index)
    if found.kind in (INT, ENUM):
        return INTEGERS[found.size]
    return f"{btf.size(index)}s"


def layout(btf: Btf, name: str) -> str:
    """Return the line of one struct."""
    found = btf.struct(name)
    fields = ", ".join(f'("{m.name}", {m.offset}, "{form(btf, m.type)}")' for m in found.members)
    return f'{name.upper()} = Layout("{name}", {found.size}, {fields})'


def numbers(btf: Btf) -> list[str]:
    """Return the lines of all enums that `struct numbers` names; sets of names become a tuple or dict as well."""
    lines = []
    for member in btf.struct("numbers").members:
        found = btf.resolve(member.type)
        if found.kind == ENUM:
            lines += ["", *(f"{name} = {value}" for name, value in found.values.items())]
            lines.append(f"{member.name.upper()}_NAMES = {by_value(found)!r}")
    return lines


def by_value(enum: Type) -> dict[int, str]:
    """Return the names by number."""
    return {value: name for name, value in enum.values.items()}


def generate(btf: Btf) -> str:
    """Return the whole module."""
    head = [
        "# SPDX-License-Identifier: GPL-2.0-or-later",
        '"""Structs and numbers of the data path; made by tools/gen_abi.py from the BTF, not to be edited."""',
        "",
        "from bpvs.kernel.layout import Layout",
        "",
    ]
    return "\n".join([*head, *(layout(btf, name) for name in STRUCTS), *numbers(btf), ""])


def main() -> None:
    """Write the module if it changed."""
    text = generate(Btf.of_object(OBJECT.read_bytes()))
    if not OUTPUT.exists() or OUTPUT.read_text() != text:
        OUTPUT.write_text(text)


if __name__ == "__main__":
    main()
