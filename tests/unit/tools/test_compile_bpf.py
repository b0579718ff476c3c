# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compiled, when, and how a refusal reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import compile_bpf
from compile_bpf import BuildError, Program

SOUND = """\
/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return ctx->data < ctx->data_end ? VERDICT : XDP_DROP;
}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "bpf/bench").mkdir(parents=True)
    (tmp_path / "bpf/pass.bpf.c").write_text(SOUND)
    return tmp_path


def test_every_source_of_the_tree_is_in_the_list() -> None:
    sources = {str(path.relative_to(compile_bpf.ROOT / "bpf")) for path in (compile_bpf.ROOT / "bpf").rglob("*.bpf.c")}
    assert sources == {program.source for program in compile_bpf.programs(compile_bpf.ROOT)}


def test_bench_programs_are_named_after_their_source(tree: Path) -> None:
    (tree / "bpf/bench/reflect.bpf.c").write_text(SOUND)
    assert compile_bpf.programs(tree)[-1] == Program("bench_reflect", "bench/reflect.bpf.c")


def test_a_program_becomes_a_bpf_object(tree: Path) -> None:
    program = Program("pass", "pass.bpf.c", ("VERDICT=XDP_PASS",))
    compile_bpf.compile_program(tree, program)
    made = program.output(tree).read_bytes()
    machine_bpf = (247).to_bytes(2, "little")  # e_machine, EM_BPF of <elf.h>
    assert made[:4] == b"\x7fELF"
    assert made[18:20] == machine_bpf
    assert b".BTF\0" in made


def test_the_same_source_gives_the_same_object_in_any_folder(tree: Path) -> None:
    other = tree / "elsewhere"
    (other / "bpf").mkdir(parents=True)
    (other / "bpf/pass.bpf.c").write_text(SOUND)
    program = Program("pass", "pass.bpf.c", ("VERDICT=XDP_PASS",))
    for root in (tree, other):
        compile_bpf.compile_program(root, program)
    assert program.output(tree).read_bytes() == program.output(other).read_bytes()


def test_a_refused_source_is_named_and_leaves_no_object(tree: Path) -> None:
    program = Program("pass", "pass.bpf.c", ("VERDICT=NO_SUCH_VERDICT",))
    with pytest.raises(BuildError, match=r"(?s)pass\.bpf\.c does not compile for pass:.*NO_SUCH_VERDICT"):
        compile_bpf.compile_program(tree, program)
    assert not program.output(tree).exists()


def test_missing_headers_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_bpf, "BPF_HELPERS", "bpf/no_such_header.h")
    with pytest.raises(BuildError, match="libbpf-dev"):
        compile_bpf.system_includes()


@pytest.mark.parametrize(
    ("output_s", "input_s", "stale"), [(None, 5, True), (5, 6, True), (6, 5, False), (5, 5, False)]
)
def test_an_output_older_than_an_input_is_stale(
    tmp_path: Path, output_s: int | None, input_s: int, stale: bool
) -> None:
    source, output = tmp_path / "source", tmp_path / "output"
    for path, seconds in ((source, input_s), (output, output_s)):
        if seconds is not None:
            path.touch()
            os.utime(path, (seconds, seconds))
    assert compile_bpf.is_stale(output, [source]) is stale
