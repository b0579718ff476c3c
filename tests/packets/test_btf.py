# SPDX-License-Identifier: GPL-2.0-or-later
"""abi.h: what Python believes about structs and numbers is what the compiled programs do."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from bpvs.kernel import _abi
from bpvs.kernel.btf import ARRAY, Btf, Type
from bpvs.kernel.layout import Layout
from bpvs.kernel.loader import OBJECTS

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "bpf/include/bpvs/abi.h"
PROGRAMS = ("housekeeper", "director_tc", "director_xdp")
LAYOUTS = {value.name: value for value in vars(_abi).values() if isinstance(value, Layout)}


def btf_of(program: str) -> Btf:
    return Btf.of_object(Path(OBJECTS, f"{program}.bpf.o").read_bytes())


def test_generated_module_is_current() -> None:
    generate = runpy.run_path(str(ROOT / "tools/gen_abi.py"))["generate"]
    assert Path(_abi.__file__).read_text() == generate(btf_of("housekeeper"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_layouts_are_those_of_every_object(program: str) -> None:
    btf = btf_of(program)
    seen = 0
    for found in btf.types:
        layout = LAYOUTS.get(found.name)
        if layout is None or not found.members:
            continue
        seen += 1
        assert layout.size == found.size, found.name
        described = {member.name: (layout.offset(member.name), layout.width(member.name)) for member in found.members}
        assert described == {member.name: (member.offset, btf.size(member.type)) for member in found.members}
    assert seen >= 8


@pytest.mark.parametrize("program", PROGRAMS)
def test_maps_hold_these_structs(program: str) -> None:
    """Maps that several objects share by name have the same key and value in each."""
    ours, housekeeper = maps_of(btf_of(program)), maps_of(btf_of("housekeeper"))
    shared = ours.keys() & housekeeper.keys()
    assert {"conns", "flows", "services", "servers", "dests", "settings", "verdicts"} <= shared
    assert {name: ours[name] for name in shared} == {name: housekeeper[name] for name in shared}


def maps_of(btf: Btf) -> dict[str, dict[str, int]]:
    """Sizes of key and value, and the numbers of type, flags and entries, of each map defined in .maps."""
    found: dict[str, dict[str, int]] = {}
    for variable in btf.types:
        definition = btf.resolve(variable.target) if variable.target < len(btf.types) else Type(0, "")
        fields = {member.name: btf.types[member.type] for member in definition.members}
        if variable.name and {"type", "max_entries"} <= fields.keys():
            found[variable.name] = {name: _meaning(btf, pointer) for name, pointer in fields.items()}
    return found


def _meaning(btf: Btf, pointer: Type) -> int:
    """__uint(name, n) is a pointer to an array of n, __type(name, t) a pointer to t."""
    target = btf.resolve(pointer.target)
    return target.count if target.kind == ARRAY else btf.size(pointer.target)


def test_numbers_of_verdicts_are_unique_and_documented() -> None:
    text = (ABI.parent / "verdicts.h").read_text()
    body = text[text.index("enum verdict {") :].split("};")[0]
    rows = re.findall(r"^\t(\w+) =\s+(\d+),[ \t]*(?:/\*((?:[^*]|\*(?!/))+)\*/)?$", body, re.MULTILINE)
    documented = {name: int(number) for name, number, _ in rows}
    assert documented == {name: number for number, name in _abi.VERDICT_NAMES.items()}
    assert len(set(documented.values())) == len(documented) == len(rows)
    undocumented = {name for name, _, comment in rows if not comment}
    assert undocumented == {"FORWARDED", "VERDICT_COUNT"}


def test_verdicts_say_by_number_and_name_what_happens() -> None:
    begins = [
        (1, "PASS_"),
        (_abi.DROP_NO_SERVER, "DROP_"),
        (_abi.ANSWER_COOKIE, "ANSWER_"),
        (_abi.HOLD_FINISH, "HOLD_"),
    ]
    for number, name in _abi.VERDICT_NAMES.items():
        if name not in ("FORWARDED", "VERDICT_COUNT"):
            assert name.startswith([beginning for first, beginning in begins if number >= first][-1])
            assert 0 < number < _abi.VERDICT_COUNT


def said_by_the_data_path() -> set[str]:
    """The verdicts that the sources name beside verdicts.h, where all are defined."""
    sources = [path.read_text() for path in (ROOT / "bpf").rglob("*.[ch]") if path.name != "verdicts.h"]
    return {name for name in _abi.VERDICT_NAMES.values() if any(re.search(rf"\b{name}\b", text) for text in sources)}


def test_every_verdict_has_a_row_among_the_packets() -> None:
    rows = "".join(
        path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name
    )
    expected = said_by_the_data_path() - {"FORWARDED", "VERDICT_COUNT"}
    assert len(expected) > 15
    assert not {name for name in expected if name not in rows}


def test_every_header_with_a_table_is_named_by_it() -> None:
    """A header that decides about packets is named, by its path, in the first lines of the module that tests it."""
    without_packets = {"abi.h", "verdicts.h", "maps.h", "packet.h", "clock.h", "realserver/abi.h", "realserver/maps.h"}
    headers = {str(path.relative_to(ABI.parent)) for path in ABI.parent.rglob("*.h")} - without_packets
    places = [
        *Path(__file__).parent.glob("test_*.py"),
        *(ROOT / "tests/property").glob("test_*.py"),
        *(ROOT / "tests/lab").glob("test_*.py"),
    ]
    named = {name for path in places for name in re.findall(r"[\w/]+\.h\b", path.read_text().split('"""')[1])}
    assert sorted(headers - named) == []
