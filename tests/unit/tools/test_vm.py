# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine's parts that need none: the script that runs inside, and what is said when it cannot start."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import vm


def run_guest_script(command: str, exchange: Path, timeout_s: int = 20) -> tuple[str, int]:
    subprocess.run(["bash", "-c", vm.guest_script(command, exchange, timeout_s)], check=True, timeout=60)
    return (exchange / "output").read_text(), int((exchange / "code").read_text())


def test_the_script_reports_both_streams_and_the_exit_code(tmp_path: Path) -> None:
    assert run_guest_script('echo "it\'s"; echo error >&2; exit 3', tmp_path) == ("it's\nerror\n", 3)


def test_the_script_ends_a_command_that_takes_too_long(tmp_path: Path) -> None:
    assert run_guest_script("exec tail -f /dev/null", tmp_path, timeout_s=1) == ("", 124)


def test_missing_programs_are_named_by_their_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vm, "SEARCH", str(tmp_path))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(vm.VmUnavailableError, match=r"qemu-system-x86.*tools/setup oracle"):
        vm.prepare()


def test_another_architecture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(vm.VmUnavailableError, match="riscv64"):
        vm.prepare()


def test_a_kernel_without_indexed_modules_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1.0-1-amd64").touch()
    modules = tmp_path / "lib/modules/6.1.0-1-amd64"
    modules.mkdir(parents=True)
    assert vm.find_kernel(tmp_path) is None
    (modules / "modules.dep").touch()
    assert vm.find_kernel(tmp_path) == vm.Kernel(tmp_path / "boot/vmlinuz-6.1.0-1-amd64", "6.1.0-1-amd64")


def test_the_copies_leave_out_what_no_command_reads(tmp_path: Path) -> None:
    library = tmp_path / "library"
    for name in ("json/decoder.py", "test/test_json.py", "site-packages/other.py"):
        (library / name).parent.mkdir(parents=True)
        (library / name).touch()
    interpreter = tmp_path / "python"
    interpreter.touch()
    archive = tmp_path / "copies.tar"
    vm.pack([interpreter, library], archive)
    with tarfile.open(archive) as tar:
        assert {member.name for member in tar if member.isfile()} == {"0", "1/json/decoder.py"}


def test_the_interpreter_and_the_projects_modules_are_among_the_copies() -> None:
    assert {Path(sys.executable).resolve(), vm.ROOT / "src"} <= set(vm.python_files())


def test_programs_are_copied_with_their_libraries_and_missing_ones_left_out() -> None:
    files = vm.program_files(["bash", "no-such-program"])
    assert files[0] == Path("/usr/bin/bash").resolve()
    assert any(path.name.startswith("libc.so") for path in files)
    assert all(path.is_file() for path in files)
